"""The state dict of a DenseNet-121, as CheXNet, torchxrayvision and torchvision have it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cds.engine.architectures import DenseNet121Config, DenseNet121ForImageClassification
from cds.errors import ModelError
from cds.models.labels import CHESTXRAY14, TORCHXRAYVISION
from cds.models.source import Source

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
TORCHXRAYVISION_INPUT = {"channels": 1, "mean": [0.5], "std": [1 / 2048], "fit": "crop", "contrast": "keep"}
"""Grey values from -1024 to 1024 of the middle square."""
CHEXNET_INPUT = {"channels": 3, "mean": IMAGENET_MEAN, "std": IMAGENET_STD, "fit": "fill", "contrast": "keep"}
SIDE = 224

_PREFIXES = re.compile(r"^(?:module\.|model\.|net\.|densenet121\.|backbone\.)+")
_OLD_NAMES = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)")
"""torchvision until 0.2 called ``norm1`` ``norm.1``."""
_SEQUENTIAL_HEAD = re.compile(r"^(?:classifier|fc)(?:\.\d+)?\.(weight|bias)$")
"""CheXNet has a linear layer and a sigmoid in a row, so that its weight is ``classifier.0.weight``."""


def read(tensors: Mapping[str, Tensor], labels: Sequence[str] | None) -> Source:
    """Raise :class:`ModelError` where the tensors are not those of a DenseNet-121, or have no labels."""
    renamed = {_renamed(name): tensor for name, tensor in tensors.items()}
    points = next((tensor for name, tensor in renamed.items() if name.split(".")[-1] == "op_threshs"), None)
    try:
        stem, head = renamed["features.conv0.weight"], renamed["classifier.weight"]
    except KeyError as lacking:
        raise ModelError(f"this is not the state dict of a DenseNet-121: {lacking} is missing") from None
    model = _loaded(renamed, channels=stem.shape[1], outputs=head.shape[0])
    grey = stem.shape[1] == 1
    return Source(
        kind="image",
        form="DenseNet-121, the form of " + ("torchxrayvision" if grey else "CheXNet"),
        labels=_labels(labels, head.shape[0]),
        input={"width": SIDE, "height": SIDE, **(TORCHXRAYVISION_INPUT if grey else CHEXNET_INPUT)},
        activation="sigmoid",
        write=lambda directory: _save(model, directory),
        operating_points=_points(points),
    )


def _renamed(name: str) -> str:
    name = _OLD_NAMES.sub(r"\1\2", _PREFIXES.sub("", name))
    return _SEQUENTIAL_HEAD.sub(r"classifier.\1", name)


def _loaded(tensors: Mapping[str, Tensor], *, channels: int, outputs: int) -> DenseNet121ForImageClassification:
    if channels not in (1, 3):
        raise ModelError(f"a DenseNet-121 of {channels} channels reads no radiograph")
    config: Any = DenseNet121Config(num_channels=channels)
    config.num_labels = outputs
    model = DenseNet121ForImageClassification(config)
    expected = model.state_dict()
    counted = {name for name in expected if name.endswith("num_batches_tracked")}
    if missing := sorted(set(expected) - set(tensors) - counted):
        raise ModelError(f"the state dict lacks {len(missing)} tensors of a DenseNet-121, such as {missing[0]}")
    for name in set(expected) - counted:
        if tensors[name].shape != expected[name].shape:
            shapes = f"{tuple(tensors[name].shape)}, not {tuple(expected[name].shape)}"
            raise ModelError(f"the tensor {name} has the shape {shapes}")
    model.load_state_dict({name: tensors[name] for name in set(expected) & set(tensors)}, strict=False)
    model.eval()
    return model


def _labels(given: Sequence[str] | None, outputs: int) -> tuple[str, ...]:
    known = {len(CHESTXRAY14): CHESTXRAY14, len(TORCHXRAYVISION): TORCHXRAYVISION}
    labels = tuple(given) if given is not None else known.get(outputs)
    if labels is None:
        raise ModelError(f"the state dict has {outputs} outputs without names; name them with --labels")
    if len(labels) != outputs:
        raise ModelError(f"there are {len(labels)} labels for {outputs} outputs")
    return labels


def _points(tensor: Tensor | None) -> dict[int, float]:
    """An output that was never trained has no number for its operating point; ``nan`` says so."""
    values = [] if tensor is None else tensor.flatten().tolist()
    return {output: value if 0 < value < 1 else math.nan for output, value in enumerate(values)}


def _save(model: DenseNet121ForImageClassification, directory: Path) -> None:
    with torch.no_grad():
        model.save_pretrained(directory)
