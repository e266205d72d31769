"""What a GPU is measured by can be counted without one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from bench import gpu
from bench.gpu import Ceiling, Shape, measured, work_of

ROW = {"pixel_values": np.ones((1, 4), np.float32)}


class Linear(nn.Module):
    """Four numbers to eight."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 8)

    def forward(self, pixel_values: Tensor) -> SequenceClassifierOutput:
        return SequenceClassifierOutput(logits=self.layer(pixel_values))


def test_the_work_of_a_row_is_its_products_and_what_its_layers_read_and_write() -> None:
    work = work_of(Linear(), ROW)
    assert work.operations == 2 * 4 * 8
    assert work.bytes == 2 * (4 + 8)


def test_a_network_is_held_against_what_its_device_can_do() -> None:
    shape = Shape("linear", Linear(), ROW, of_ceiling=0.5, per_second=1)
    ceiling = Ceiling(operations=1e15, bytes=1e15)
    alone, rate, share, copied = measured(shape, torch.device("cpu"), ceiling, seconds=0)
    assert alone.value is not None
    assert rate.value is not None
    assert rate.met is True
    assert share.value == pytest.approx(64 * rate.value / 1e15)
    assert share.met is False
    assert copied.value == pytest.approx(24 * rate.value / 1e15)


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one here")
    monkeypatch.setattr(sys, "argv", ["bench.gpu"])
    with pytest.raises(SystemExit, match="no CUDA device"):
        gpu.main()
