"""Fitting the network: the classifier alone first, then most layers; an average over the last steps is kept."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cds.engine.architectures import EfficientNetLiteForImageClassification
from training.image.augment import augmented
from training.image.films import Films

log = logging.getLogger(__name__)

MEAN = STD = 0.5
"""As the ImageNet weights want it, for x in 0..1."""
MAX_POSITIVE_WEIGHT = 4.0
FROZEN = 6
"""The first layers (edges and blobs, at 112 and 56 pixels) stay as ImageNet left them: a few hundred films would
not better them, and they are half of the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast; an epoch is one pass over the films given."""

    head: tuple[int, ...] = (160,)
    """The size in pixels of each epoch that fits the classifier alone."""
    cycles: tuple[tuple[int, ...], ...] = ((160,) * 9 + (224,) * 3, (160,) * 6 + (224,) * 3, (224,) * 4)
    """The same for the epochs that fit the layers too: small first, which is fast, then as in service. The rate
    rises and falls once in each cycle, and the next begins with the average that the one before has left."""
    batch: int = 32
    head_rate: float = 3e-3
    rate: float = 5e-4
    weight_decay: float = 0.03
    averaging: float = 0.98
    max_batches: int | None = None
    """Of an epoch: two are enough to prove that the script runs."""


def fit(model: EfficientNetLiteForImageClassification, films: Films, schedule: Schedule) -> None:
    """Train ``model`` in place on ``films`` with the multi-label cross-entropy."""
    model.to(memory_format=torch.channels_last)
    weight = _positive_weight(films.labels)
    model.features.requires_grad_(False)
    _run(model, films, schedule, weight, sizes=schedule.head, rate=schedule.head_rate)
    model.features[FROZEN:].requires_grad_(True)
    for sizes in schedule.cycles:
        average = _run(model, films, schedule, weight, sizes=sizes, rate=schedule.rate)
        model.load_state_dict(average.module.state_dict())


def logits(model: EfficientNetLiteForImageClassification, films: Films, *, batch: int = 64) -> NDArray[np.float64]:
    """(n, findings), unaugmented, as the service computes them."""
    model.eval()
    with torch.inference_mode():
        parts = [
            model(_normalised(_tensor(films.pixels[i : i + batch]))).logits for i in range(0, len(films), batch)
        ]
    return torch.cat(parts).double().numpy()


def _run(
    model: EfficientNetLiteForImageClassification,
    films: Films,
    schedule: Schedule,
    weight: Tensor,
    *,
    sizes: Sequence[int],
    rate: float,
) -> AveragedModel:
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=rate, weight_decay=schedule.weight_decay)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(schedule.averaging), use_buffers=True)
    total = len(sizes) * math.ceil(len(films) / schedule.batch)
    cosine = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=total, pct_start=0.15)
    for epoch, size in enumerate(sizes, 1):
        losses = []
        for pixels, labels in _batches(films, schedule):
            losses.append(_step(model, optimizer, augmented(pixels, size), labels, weight))
            cosine.step()
            average.update_parameters(model)
        log.info("epoch %d of %d: loss %.4f", epoch, len(sizes), np.mean(losses))
    return average


def _step(
    model: EfficientNetLiteForImageClassification,
    optimizer: torch.optim.Optimizer,
    films: Tensor,
    labels: Tensor,
    weight: Tensor,
) -> float:
    model.train()
    model.features[:FROZEN].eval()
    out = model(_normalised(films)).logits
    loss = functional.binary_cross_entropy_with_logits(out, labels, pos_weight=weight)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()


def _batches(films: Films, schedule: Schedule) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(films)).numpy()
    starts = range(0, len(films), schedule.batch)
    for start in starts[: schedule.max_batches]:
        rows = order[start : start + schedule.batch]
        yield _tensor(films.pixels[rows]), torch.from_numpy(films.labels[rows]).float()


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, H, W) bytes to (n, 1, H, W) in 0..1."""
    return torch.from_numpy(pixels).unsqueeze(1).float() / 255


def _normalised(films: Tensor) -> Tensor:
    return ((films - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def _positive_weight(labels: NDArray[np.float64]) -> Tensor:
    """The root of negatives to positives: rare findings count for more, without drowning the rest."""
    positives = np.maximum(labels.sum(0), 1.0)
    ratio = np.sqrt((len(labels) - positives) / positives)
    return torch.from_numpy(np.clip(ratio, 1.0, MAX_POSITIVE_WEIGHT)).float()
