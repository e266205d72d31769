"""DenseNet-121 (Huang et al., CVPR 2017), the network of CheXNet and of torchxrayvision.

Its tensors have the names that torchvision gives them, so published state dicts load once a prefix is taken off.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

GROWTH = 32
BLOCKS = (6, 12, 24, 16)
STEM_CHANNELS = 64
BOTTLENECK = 4
"""A layer first narrows what it reads to so many times the growth."""


class DenseNet121Config(PreTrainedConfig):  # type: ignore[misc]
    """``num_channels`` of the input: 3 for CheXNet, 1 for torchxrayvision."""

    model_type = "densenet121"
    num_channels: int = 3


class DenseLayer(nn.Module):
    """Reads everything that came before it in its block, and adds ``GROWTH`` channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, BOTTLENECK * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * GROWTH)
        self.conv2 = nn.Conv2d(BOTTLENECK * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.conv1(functional.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(functional.relu(self.norm2(narrow)))], dim=1)


class Transition(nn.Module):
    """Halves the channels and each side of the picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(self.conv(functional.relu(self.norm(x))), 2)


class DenseNet121ForImageClassification(PreTrainedModel):  # type: ignore[misc]
    """One logit per label of the configuration.

    ``pixel_values`` is (batch, ``num_channels``, height, width), already normalised as the bundle says.
    """

    config_class = DenseNet121Config
    config: DenseNet121Config
    base_model_prefix = "features"
    main_input_name = "pixel_values"

    def __init__(self, config: DenseNet121Config) -> None:
        super().__init__(config)
        layers, channels = _layers(config.num_channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(channels, int(config.num_labels or 0))
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: object) -> ImageClassifierOutputWithNoAttention:
        maps = functional.relu(self.features(pixel_values))
        return ImageClassifierOutputWithNoAttention(logits=self.classifier(maps.mean((2, 3))))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()


def _layers(inputs: int) -> tuple[OrderedDict[str, nn.Module], int]:
    """Everything before the classifier, by name, and how many channels come out of it."""
    channels = STEM_CHANNELS
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv0=nn.Conv2d(inputs, channels, 7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(channels),
        relu0=nn.ReLU(),
        pool0=nn.MaxPool2d(3, stride=2, padding=1),
    )
    for number, length in enumerate(BLOCKS, start=1):
        names = (f"denselayer{place}" for place in range(1, length + 1))
        dense: OrderedDict[str, nn.Module] = OrderedDict(
            (name, DenseLayer(channels + place * GROWTH)) for place, name in enumerate(names)
        )
        layers[f"denseblock{number}"] = nn.Sequential(dense)
        channels += length * GROWTH
        if number < len(BLOCKS):
            layers[f"transition{number}"] = Transition(channels)
            channels //= 2
    layers["norm5"] = nn.BatchNorm2d(channels)
    return layers, channels
