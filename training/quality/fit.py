"""Fitting the gate: components of films that are right, two layers that tell what is wrong, limits for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from cds.engine.quality import UNLIKE, Components, Look, QualityGate
from cds.findings import ModelVersion
from training.quality.made import Picture

COMPONENTS = 24
HIDDEN = 32
STEPS, BATCH, RATE, DECAY = 1500, 256, 3e-3, 0.02
FALSE_ALARMS = 0.005
"""Of films that are right, for each kind by itself, at most."""
EVEN = 0.0
"""No kind is said below even odds."""
UNSEALED = ModelVersion("quality", "film-quality", "", "")
KINDS = ("turned", "lateral", "exposure", "inverted", "photographed")


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture and what is wrong with it; ``None`` where nothing is."""

    picture: Picture
    wrong: str | None


def fit(
    lessons: Sequence[Lesson], right: Sequence[Picture], *, steps: int = STEPS
) -> tuple[dict[str, NDArray[np.float32]], dict[str, float]]:
    """The tensors of the bundle, and its limits, set on ``right``: films that nothing else was fitted on."""
    looks = [(look, lesson.wrong) for lesson in lessons if (look := Look.at(lesson.picture))]
    held = _components([look for look, wrong in looks if wrong is None])
    components = Components(*(held[name] for name in ("mean", "basis", "spread", "rest")))
    unlimited = dict.fromkeys((UNLIKE, *KINDS), np.inf)
    reading = QualityGate(UNSEALED, components, held, unlimited)
    features = np.stack([reading.features(look)[0] for look, _ in looks])
    wrong = np.array([[kind == one for kind in KINDS] for _, one in looks], np.float32)
    held |= _layers(features, wrong, steps)
    return held, _limits(QualityGate(UNSEALED, components, held, unlimited), right)


def _components(looks: Sequence[Look]) -> dict[str, NDArray[np.float32]]:
    shapes = np.stack([look.shape for look in looks])
    tones = np.stack([look.tone for look in looks])
    mean = shapes.mean(0)
    _, size, basis = np.linalg.svd(shapes - mean, full_matrices=False)
    variance = size**2 / len(shapes)
    left = variance[COMPONENTS:].sum() / (shapes.shape[1] - COMPONENTS)
    return {
        "mean": mean,
        # As it is kept: rounded.
        "basis": basis[:COMPONENTS].astype(np.float16).astype(np.float32),
        "spread": np.sqrt(variance[:COMPONENTS]),
        "rest": np.sqrt(left, dtype=np.float32),
        "tone.mean": tones.mean(0),
        "tone.spread": tones.std(0) + 1e-3,
    }


def _layers(
    features: NDArray[np.float32], wrong: NDArray[np.float32], steps: int
) -> dict[str, NDArray[np.float32]]:
    torch.manual_seed(0)
    hidden, kinds = nn.Linear(features.shape[1], HIDDEN), nn.Linear(HIDDEN, len(KINDS))
    x, y = torch.from_numpy(features), torch.from_numpy(wrong)
    trained = [*hidden.parameters(), *kinds.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH,))
        noisy = x[rows] + 0.1 * torch.randn(BATCH, x.shape[1])
        loss = functional.binary_cross_entropy_with_logits(kinds(torch.relu(hidden(noisy))), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    layers: Mapping[str, nn.Linear] = {"hidden": hidden, "kinds": kinds}
    return {
        f"{name}.{part}": getattr(layer, part).detach().numpy()
        for name, layer in layers.items()
        for part in ("weight", "bias")
    }


def _limits(gate: QualityGate, right: Sequence[Picture]) -> dict[str, float]:
    scores = [gate.scores(picture) for picture in right]

    def highest(kind: str) -> float:
        return float(np.quantile([score[kind] for score in scores], 1 - FALSE_ALARMS, method="higher"))

    by_kind = {kind: max(EVEN, highest(kind)) for kind in KINDS}
    return {kind: round(limit, 4) for kind, limit in {UNLIKE: highest(UNLIKE), **by_kind}.items()}
