"""``python write_settings.py MODELS_DIR DIRECTORY``: what ``mlserver start DIRECTORY`` needs to run the bundles.

MLServer listens on loopback alone then; its own default is every interface.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cds.engine.bundles import Bundle
from cds.engine.served.catalogue import Catalogue
from cds.engine.served.tensors import inputs_of, output_of
from cds.engine.version_number import version_number

SERVER = {
    "host": "127.0.0.1",
    "http_port": 8490,
    "grpc_port": 8491,
    "metrics_endpoint": None,
    "debug": False,
    # One process: another would hold the models again, and compute on the same cores.
    "parallel_workers": 0,
}


def model_settings(bundle: Bundle) -> dict[str, object]:
    """``model-settings.json`` of one bundle."""
    version = version_number(bundle.version)
    return {
        "name": bundle.version.name,
        "versions": [version],
        "platform": "sightline_bundle",
        "implementation": "runtime.BundleModel",
        "parameters": {"uri": str(bundle.directory.resolve()), "version": version},
        "inputs": [tensor.as_json() for tensor in inputs_of(bundle)],
        "outputs": [output_of(bundle).as_json()],
    }


def write(models_dir: Path, directory: Path, **server: object) -> None:
    """``settings.json``, changed by ``server``, and a folder with ``model-settings.json`` for each bundle."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "settings.json").write_text(json.dumps({**SERVER, **server}, indent=1))
    for bundle in Catalogue(models_dir).bundles():
        folder = directory / f"{bundle.version.name}-{version_number(bundle.version)}"
        folder.mkdir(exist_ok=True)
        (folder / "model-settings.json").write_text(json.dumps(model_settings(bundle), indent=1))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
