"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation and with ReLU6, made for plain CPUs.

Tan & Le, "EfficientNet", ICML 2019; the Lite variants were published by the TensorFlow team in 2020. The order of
the tensors is that of the published weights, so these load by position (see ``training/image/pretrained.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
BN_EPS, BN_MOMENTUM = 1e-3, 0.03


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of inverted bottlenecks; the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLiteConfig(PreTrainedConfig):  # type: ignore[misc]
    """``num_channels`` of the input, and the dropout before the classifier."""

    model_type = "efficientnet_lite"
    num_channels: int = 1
    dropout: float = 0.2


class SamePadConv2d(nn.Conv2d):
    """A convolution with TensorFlow's ``SAME`` padding: for an odd total, the extra row goes below and right."""

    def forward(self, input: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return functional.conv2d(input, self.weight, None, 1, kernel // 2, 1, self.groups)
        pads = []
        for size in (input.shape[3], input.shape[2]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(input, pads), self.weight, None, stride, 0, 1, self.groups)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        SamePadConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=BN_EPS, momentum=BN_MOMENTUM),
    ]


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel by itself, project back; the input is added where the shapes agree."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        layers: list[nn.Module] = []
        if stage.expansion > 1:
            layers += [*_conv(inputs, wide, 1), nn.ReLU6()]
        layers += [*_conv(wide, wide, stage.kernel, stride, groups=wide), nn.ReLU6()]
        layers += _conv(wide, stage.channels, 1)
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLiteForImageClassification(PreTrainedModel):  # type: ignore[misc]
    """One logit per label of the configuration.

    ``pixel_values`` is (batch, ``num_channels``, height, width), already normalised as the bundle says.
    """

    config_class = EfficientNetLiteConfig
    config: EfficientNetLiteConfig
    base_model_prefix = "features"
    main_input_name = "pixel_values"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.features = nn.Sequential(*_features(config.num_channels))
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(HEAD_CHANNELS, int(config.num_labels or 0))
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: object) -> ImageClassifierOutputWithNoAttention:
        maps: Tensor = self.features(pixel_values)
        logits = self.classifier(self.dropout(maps.mean((2, 3))))
        return ImageClassifierOutputWithNoAttention(logits=logits)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()


def _features(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = [*_conv(channels, STEM_CHANNELS, 3, stride=2), nn.ReLU6()]
    inputs = STEM_CHANNELS
    for stage in LITE0:
        for position in range(stage.repeats):
            layers.append(InvertedBottleneck(inputs, stage, stage.stride if position == 0 else 1))
            inputs = stage.channels
    return [*layers, *_conv(inputs, HEAD_CHANNELS, 1), nn.ReLU6()]
