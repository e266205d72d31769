"""``python write_repository.py MODELS_DIR DIRECTORY``: the model repository with which Triton serves the bundles.

Each version of a model stands in a folder of that number; Triton serves them all.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from cds.engine.bundles import Bundle
from cds.engine.served.catalogue import Catalogue
from cds.engine.served.tensors import Tensor, inputs_of, output_of
from cds.engine.version_number import version_number

MODEL = Path(__file__).with_name("model.py")
ROWS = 64
"""Of all requests that go through a network at once; one request has 16 at most."""

CONFIG = """\
backend: "python"
max_batch_size: {rows}
dynamic_batching {{ }}
version_policy {{ all {{ }} }}
input [ {inputs} ]
output [ {outputs} ]
parameters {{ key: "models_dir" value {{ string_value: {models_dir} }} }}
"""


def write(models_dir: Path, directory: Path) -> None:
    """A folder with ``config.pbtxt`` for each model, in it a folder with ``model.py`` for each version."""
    for bundle in Catalogue(models_dir).bundles():
        model = directory / bundle.version.name
        version = model / version_number(bundle.version)
        version.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MODEL, version / MODEL.name)
        (model / "config.pbtxt").write_text(config(bundle, models_dir.resolve()))


def config(bundle: Bundle, models_dir: Path) -> str:
    """``config.pbtxt``, the same for every version of a model."""
    quoted = json.dumps(str(models_dir))
    inputs = ", ".join(map(_tensor, inputs_of(bundle)))
    return CONFIG.format(rows=ROWS, inputs=inputs, outputs=_tensor(output_of(bundle)), models_dir=quoted)


def _tensor(tensor: Tensor) -> str:
    """Without the batch, which ``max_batch_size`` stands for."""
    return f'{{ name: "{tensor.name}" data_type: TYPE_{tensor.datatype} dims: {list(tensor.shape[1:])} }}'


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
