"""Run by the Python that has PyTriton, whose wheel holds Triton's server: becomes that server.

``python triton_server.py REPOSITORY PORT``. Its Python backend runs models by a stub for the
Python that runs this, which it looks for beside itself.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytriton  # type: ignore[import-not-found]

PACKAGES = Path(pytriton.__file__).parents[1]
SERVER = PACKAGES / "pytriton" / "tritonserver"
STUB = SERVER / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}"

STARTING = (
    # To begin with a model; without it 30 s, in which a busy machine does not even import torch.
    "--backend-config=python,stub-timeout-seconds=600",
    # Our config.pbtxt is complete; else each version would import torch once more, only to be asked about it.
    "--disable-auto-complete-config",
    # One after another: several at once take each other's time, and 2.51 has aborted over a lock of theirs.
    "--model-load-thread-count=1",
)


def main(repository: Path, port: int) -> None:
    """On loopback, and over HTTP alone."""
    backends = repository.with_name("backends")
    for directory in (SERVER / "backends" / "python", STUB):
        shutil.copytree(directory, backends / "python", dirs_exist_ok=True)
    program = str(SERVER / "bin" / "tritonserver")
    where = ["--http-address=127.0.0.1", f"--http-port={port}", "--allow-grpc=false", "--allow-metrics=false"]
    os.execve(  # noqa: S606 (our own command)
        program,
        [program, f"--model-repository={repository}", f"--backend-directory={backends}", *STARTING, *where],
        dict(os.environ) | _environment(),
    )


def _environment() -> dict[str, str]:
    """Where server and stub find their libraries, and the stub this environment's Python."""
    libraries = [sysconfig.get_config_var("LIBDIR"), PACKAGES / "nvidia_pytriton.libs"]
    path = [Path(sys.prefix) / "bin", *os.environ.get("PATH", "").split(os.pathsep)]
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)), "PATH": os.pathsep.join(map(str, path))}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
