"""Synthetic films of the sandbox's generator, so that the demonstration's patients are films of a known kind.

Training takes seeds from ``TRAINING_SEEDS`` on; the films of the card's figures lie below it, beyond those of the
sample patients. Real films are never replaced by these, and the two are never pooled in a figure.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cds.sandbox import radiograph as generator
from training.image.films import KEYS, Films, framed

log = logging.getLogger(__name__)

HELD_OUT_SEEDS = 900_000
DEPTH = 4095
MIXTURE = "1"
"""Changes whenever the same seed would draw another case from here."""
NORMAL, SECOND = 0.3, 0.33
"""The share of films without a finding, and among the others of those with a second one."""
OFTEN = ("cardiomegaly", "consolidation", "edema", "effusion", "pneumonia", "pneumothorax")
"""Drawn twice as often as the others: what a clinician is most likely to try in the sandbox."""
SEVERITY = (0.35, 1.0)
RENDERED = (240, 352)
"""Rows and columns before framing, drawn anew for each film: sharpness shall be no cue."""


def synthetic(count: int, first_seed: int, cache: Path) -> Films:
    """``count`` films from ``first_seed`` on; each version of the generator draws them once into ``cache``."""
    path = cache / f"synthetic-{generator.VERSION}-{MIXTURE}-{first_seed}-{count}.npz"
    if not path.exists():
        log.info("drawing %d synthetic films", count)
        drawn = [_film(seed) for seed in range(first_seed, first_seed + count)]
        cache.mkdir(parents=True, exist_ok=True)
        pixels, labels, views, sexes = (np.array(column) for column in zip(*drawn, strict=True))
        np.savez(path, pixels=pixels, labels=labels, views=views, sexes=sexes)
    with np.load(path) as held:
        names = np.array([f"synthetic-{seed}" for seed in range(first_seed, first_seed + count)])
        ages = np.zeros(count, int)
        return Films(held["pixels"], held["labels"], names, names, held["views"], ages, held["sexes"])


def _film(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], str, str]:
    random = np.random.default_rng((seed, 7))
    findings = _findings(random)
    view, sex = random.choice(["PA", "AP"], p=[0.65, 0.35]), random.choice(["F", "M"])
    side = int(random.integers(*RENDERED))
    film = generator.render(seed, size=(side, side), findings=findings, view=view, sex=sex)
    labels = np.array([float(key in findings) for key in KEYS])
    return framed(film.astype(np.float32) / np.float32(DEPTH)), labels, view, sex


def _findings(random: np.random.Generator) -> dict[str, float]:
    if random.random() < NORMAL:
        return {}
    weight = np.array([2.0 if key in OFTEN else 1.0 for key in KEYS])
    count = 2 if random.random() < SECOND else 1
    chosen = random.choice(KEYS, size=count, replace=False, p=weight / weight.sum())
    return {str(key): float(random.uniform(*SEVERITY)) for key in chosen}
