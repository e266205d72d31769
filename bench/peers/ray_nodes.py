"""Run by the Python that has Ray: a cluster of several nodes on this machine, and our application on it.

``python ray_nodes.py PORT MODELS_DIR NODES``. The first line of its output says that it is ready, as JSON: the
process ids of the nodes that score. It ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import application  # type: ignore[import-not-found]  # (deploy/ray)
import ray  # type: ignore[import-not-found]
from ray import serve
from ray.cluster_utils import Cluster  # type: ignore[import-not-found]


def main(port: int, models_dir: Path, nodes: int) -> None:
    """The head has the door and scores nothing; each node has one replica."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        scoring = [cluster.add_node(num_cpus=1) for _ in range(nodes)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level="warning")
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        options = application.Options(
            models_dir=models_dir, device="cpu", min_replicas=nodes, max_replicas=nodes, gateways=2
        )
        serve.run(application.build(options), route_prefix="/")
        pids = [process.process.pid for node in scoring for process in node.all_processes["raylet"]]
        print(json.dumps({"nodes": pids}), flush=True)
        sys.stdin.read()
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
