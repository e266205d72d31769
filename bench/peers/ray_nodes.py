"""Run by the Python that has Ray: a cluster whose nodes are machines of their own, and our application on it.

``python ray_nodes.py HOME MODELS_DIR NODES SOCKET``, itself :data:`machines.APART`: what comes in at the inherited
``SOCKET`` of the machine around it goes to the application. The first line of its output says that it is ready. It
ends, and all nodes with it, when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from socket import create_connection, socket

import application  # type: ignore[import-not-found]  # (deploy/ray)
import machines  # type: ignore[import-not-found]  # (beside this)
import ray  # type: ignore[import-not-found]
from ray import serve

from cds.processes import Process, Processes

GCS_PORT, PORT = 6379, 8490
GCS = f"{machines.ADDRESS.format(1)}:{GCS_PORT}"
STARTING_S = 300.0
FILES = "/tmp/ray"  # noqa: S108 (Ray's own choice; what we put over it nobody else sees)
"""Where each node has its sockets, by names that it believes it alone gives."""


def main(home: Path, models_dir: Path, nodes: int, listening: socket) -> None:
    """The head has the door and scores nothing; each node has one replica."""
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    Path(FILES).mkdir(parents=True, exist_ok=True)
    machines.bridge(FILES)
    with Processes(home) as processes:
        head = ["--head", f"--port={GCS_PORT}", "--num-cpus=0", "--include-dashboard=false"]
        processes.wait(processes.start("head", _ray(1, *head), os.environ), _answers, within_s=STARTING_S)
        for number in range(2, nodes + 2):
            node = _ray(number, f"--address={GCS}", "--num-cpus=1")
            started: Process = processes.start(f"node{number}", machines.joined(number, FILES, node), os.environ)
            machines.join(number, started.popen.pid)
        _wait_for_the_head()
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": PORT})
        options = application.Options(
            models_dir=models_dir, device="cpu", min_replicas=nodes, max_replicas=nodes, gateways=2
        )
        serve.run(application.build(options), route_prefix="/")
        print("ready", flush=True)
        asyncio.run(machines.passed_on(listening, "127.0.0.1", PORT))


def _end_with_the_input() -> None:
    sys.stdin.read()
    os._exit(0)  # We are the first process here: all others end with us.


def _wait_for_the_head() -> None:
    """Its port answers before it does, and it may have to begin anew."""
    until = time.monotonic() + STARTING_S
    while not ray.is_initialized():
        try:
            ray.init(address=GCS, log_to_driver=False, logging_level="warning")
        except ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(1.0)


def _answers() -> bool:
    with suppress(OSError), create_connection((machines.ADDRESS.format(1), GCS_PORT)):
        return True
    return False


def _ray(number: int, *arguments: str) -> list[str]:
    """Ray leaves a node 30 s to begin, which is too short on a busy machine."""
    program = str(Path(sys.executable).with_name("ray"))
    own = f"--node-ip-address={machines.ADDRESS.format(number)}"
    return [*machines.ANEW, program, "start", "--block", own, *arguments]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), socket(fileno=int(sys.argv[4])))
