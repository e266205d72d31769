"""Grad-CAM: where a network's last map speaks for an output, whatever convolutional network it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import ConvNextConfig, ResNetConfig, ViTConfig
from transformers import ConvNextForImageClassification as ConvNext
from transformers import ResNetForImageClassification as ResNet
from transformers import ViTForImageClassification as ViT
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

from cds.engine.active import in_use
from cds.engine.architectures import DenseNet121Config, DenseNet121ForImageClassification
from cds.engine.image import ImageReader, input_of
from cds.engine.networks import Chosen, image_network
from cds.engine.onnx_export import exported_saliency
from cds.engine.onnx_runtime import OnnxSaliency
from cds.engine.saliency import GradCam, last_map
from cds.errors import ModelError, NoSaliency
from cds.imaging.framing import frame
from cds.sandbox.radiograph import Side, render
from cds.settings import Settings

SIDE = 64


class Corners(nn.Module):
    """Output 0 goes by what is bright, output 1 by what is dark; the rest of the picture cancels out."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 2, 8, stride=8, bias=False)
        self.features.weight.data = torch.stack([torch.ones(1, 8, 8), -torch.ones(1, 8, 8)]) / 64

    def forward(self, pixel_values: Tensor) -> ImageClassifierOutputWithNoAttention:
        return ImageClassifierOutputWithNoAttention(logits=self.features(pixel_values).relu_().mean((2, 3)))


def picture() -> NDArray[np.float32]:
    """Grey, with a bright corner above left and a dark one below right."""
    pixels = np.zeros((1, 1, SIDE, SIDE), np.float32)
    pixels[..., :16, :16] = 1.0
    pixels[..., -16:, -16:] = -1.0
    return pixels


def strongest(saliency: NDArray[np.float32]) -> tuple[float, float]:
    """The centre of what is more than half as strong as the strongest, as shares of the height and width."""
    rows, columns = np.nonzero(saliency > 0.5)
    return float(rows.mean() / len(saliency)), float(columns.mean() / len(saliency))


def test_the_map_lies_where_the_output_comes_from() -> None:
    explain = GradCam(Corners(), picture())
    bright, dark = explain(picture(), 0), explain(picture(), 1)
    assert bright.shape == (SIDE, SIDE)
    assert (bright.min(), bright.max()) == (0, 1)
    assert max(strongest(bright)) < 0.2
    assert min(strongest(dark)) > 0.8


def test_where_nothing_speaks_for_it_the_map_is_empty() -> None:
    assert not GradCam(Corners(), picture())(-abs(picture()), 0).any()


def test_the_map_is_the_same_without_torch() -> None:
    grad_cam = GradCam(Corners(), picture())
    without_torch = OnnxSaliency(exported_saliency(grad_cam, picture(), outputs=2), threads=1)
    for output in (0, 1):
        np.testing.assert_allclose(without_torch(picture(), output), grad_cam(picture(), output), atol=1e-5)
    assert not without_torch(-abs(picture()), 0).any()


CONVOLUTIONAL: list[Any] = [
    DenseNet121ForImageClassification(DenseNet121Config(num_channels=1, num_labels=2)),
    ResNet(ResNetConfig(num_channels=1, num_labels=2, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])),
    ConvNext(ConvNextConfig(num_channels=1, num_labels=2, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1])),
]


@pytest.mark.parametrize("network", CONVOLUTIONAL, ids=lambda network: type(network).__name__)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_convolutional_networks_that_hospitals_bring_have_one(network: nn.Module, activation: str) -> None:
    chosen = Chosen(network, [1, 0], activation).eval()
    saliency = GradCam(chosen, picture())(picture(), 0)
    assert saliency.shape == (SIDE, SIDE)
    assert np.isfinite(saliency).all()
    assert 0 <= saliency.min() <= saliency.max() <= 1


def by_captum(network: nn.Module, pixel_values: NDArray[np.float32], output: int) -> NDArray[np.float32]:
    """Grad-CAM as Captum has it, which knows no last map and no scale."""
    pixels = torch.from_numpy(pixel_values)
    layer = last_map(network, pixels)
    assert layer is not None
    grad_cam = LayerGradCam(lambda values: network(pixel_values=values).logits, layer)
    network.requires_grad_(True)
    spoken = grad_cam.attribute(pixels, target=output, relu_attributions=True).detach()
    whole = LayerAttribution.interpolate(spoken / spoken.max().clamp(min=1e-30), pixels.shape[2:], "bilinear")
    return whole[0, 0].numpy()


@pytest.mark.parametrize("network", CONVOLUTIONAL, ids=lambda network: type(network).__name__)
def test_the_map_is_the_one_of_captum(network: nn.Module) -> None:
    network.eval()
    theirs = by_captum(network, picture(), 0)
    np.testing.assert_allclose(GradCam(network, picture())(picture(), 0), theirs, atol=1e-5)


def test_a_network_that_reads_tokens_says_that_it_has_none() -> None:
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=SIDE,
        num_channels=1,
    )
    with pytest.raises(NoSaliency, match="not available"):
        GradCam(ViT(config).eval(), picture())(picture(), 0)


class Opaque(nn.Module):
    """As :class:`cds.engine.networks.OnnxNetwork` does, it computes outside torch."""

    def forward(self, pixel_values: Tensor) -> ImageClassifierOutputWithNoAttention:
        return ImageClassifierOutputWithNoAttention(logits=pixel_values.mean((2, 3)))


def test_a_network_in_an_onnx_file_says_that_it_has_none() -> None:
    with pytest.raises(NoSaliency, match="not available"):
        GradCam(Opaque(), picture())(picture(), 0)


# The model that ships


@pytest.fixture(scope="module")
def reader() -> ImageReader:
    return ImageReader.load(in_use(Settings(), "image"), "cpu")


def film(seed: int, key: str, side: Side, severity: float = 0.85) -> NDArray[np.float32]:
    drawn = render(seed, size=(512, 512), findings={key: severity} if severity else {}, sides={key: side})
    return frame(drawn.astype(np.float32) / np.float32(4095), 224)


@pytest.mark.parametrize("key", ["pneumothorax", "effusion", "pneumonia", "mass", "consolidation"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_most_of_the_map_lies_on_the_side_of_the_lesion(reader: ImageReader, key: str, side: Side) -> None:
    saliency = reader.explain(film(4711, key, side), key)
    # A radiograph shows the patient's left at the right.
    on_the_side = saliency[:, 112:] if side == "left" else saliency[:, :112]
    assert on_the_side.sum() > 0.6 * saliency.sum()


@pytest.mark.parametrize("key", ["pneumothorax", "effusion", "pneumonia", "mass", "consolidation"])
def test_most_of_the_map_lies_near_what_was_drawn(reader: ImageReader, key: str) -> None:
    with_it, without = film(4712, key, "right"), film(4712, key, "right", severity=0)
    saliency = reader.explain(with_it, key)
    changed = np.abs(with_it - without)
    lesion = torch.from_numpy((changed > 0.3 * changed.max()).astype(np.float32))[None, None]
    # One place of the map is 32 pixels wide.
    near = nn.functional.max_pool2d(lesion, 65, 1, 32)[0, 0].numpy() > 0
    assert saliency[near].sum() > 0.6 * saliency.sum()


def test_with_torch_and_without_the_map_is_the_one_of_captum(reader: ImageReader) -> None:
    network, pixels = image_network(reader.bundle), input_of(reader.bundle, film(4714, "effusion", "left"))
    grad_cam = GradCam(network, pixels)
    without_torch = OnnxSaliency(exported_saliency(grad_cam, pixels, len(reader.bundle.findings)), threads=1)
    for output in range(len(reader.bundle.findings)):
        theirs = by_captum(network, pixels, output)
        np.testing.assert_allclose(grad_cam(pixels, output), theirs, atol=1e-4)
        np.testing.assert_allclose(without_torch(pixels, output), theirs, atol=1e-4)


def test_scores_stay_the_same_while_another_thread_asks_why(reader: ImageReader) -> None:
    pixels = film(4713, "effusion", "left")
    alone, map_alone = reader.score(pixels), reader.explain(pixels, "effusion")
    with ThreadPoolExecutor(4) as threads:
        maps = [threads.submit(reader.explain, pixels, "effusion") for _ in range(6)]
        scores = [threads.submit(reader.score, pixels) for _ in range(6)]
        assert all(score.result() == alone for score in scores)
        for saliency in maps:
            np.testing.assert_array_equal(saliency.result(), map_alone)


def test_a_finding_that_the_model_does_not_look_for_is_refused(reader: ImageReader) -> None:
    with pytest.raises(ModelError, match="does not look for fracture"):
        reader.explain(np.zeros((224, 224), np.float32), "fracture")
