"""DenseNet-121 as torchvision publishes it."""

from __future__ import annotations

import torch

from cds.engine.architectures import DenseNet121Config, DenseNet121ForImageClassification

PUBLISHED_PARAMETERS = 7_978_856
"""With 1,000 classes and three channels."""


def test_it_is_the_published_network() -> None:
    config = DenseNet121Config(num_channels=3)
    config.num_labels = 1000
    model = DenseNet121ForImageClassification(config).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED_PARAMETERS
    names = set(model.state_dict())
    assert {"features.denseblock4.denselayer16.conv2.weight", "features.transition3.norm.weight"} <= names
    with torch.inference_mode():
        assert model.features(torch.rand(1, 3, 224, 224)).shape == (1, 1024, 7, 7)
