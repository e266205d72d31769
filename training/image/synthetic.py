"""Synthetic films of the sandbox's generator, so that the demonstration's patients are films of a known kind.

Training takes seeds from ``TRAINING_SEEDS`` on; the films of the card's figures lie below it, beyond those of the
sample patients. Real films are never replaced by these, and the two are never pooled in a figure.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cds.sandbox.radiograph as generator
from cds.imaging.framing import frame
from training.image.films import KEYS, SIZE, Films, as_bytes

log = logging.getLogger(__name__)

HELD_OUT_SEEDS = 900_000
DEPTH = 4095
NORMAL = 0.3
"""The share of films without a finding; of the others, a third have a second one."""
SECOND = 0.33
SEVERITY = (0.35, 1.0)
RENDERED = (224, 352)
"""Rows and columns before framing, drawn anew for each film: sharpness shall be no cue."""


def synthetic(count: int, first_seed: int, cache: Path) -> Films:
    """``count`` films from ``first_seed`` on; drawn once for each state of the generator, then read from ``cache``."""
    path = cache / f"synthetic-{first_seed}-{count}-{_version()}.npz"
    if not path.exists():
        log.info("drawing %d synthetic films", count)
        drawn = [_film(seed) for seed in range(first_seed, first_seed + count)]
        cache.mkdir(parents=True, exist_ok=True)
        pixels, labels, views, sexes = (np.array(column) for column in zip(*drawn, strict=True))
        np.savez(path, pixels=pixels, labels=labels, views=views, sexes=sexes)
    with np.load(path) as held:
        patients = np.array([f"synthetic-{seed}" for seed in range(first_seed, first_seed + count)])
        return Films(held["pixels"], held["labels"], patients, held["views"], np.zeros(count, int), held["sexes"])


def _film(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], str, str]:
    random = np.random.default_rng((seed, 7))
    findings = _findings(random)
    view, sex = random.choice(["PA", "AP"], p=[0.65, 0.35]), random.choice(["F", "M"])
    side = int(random.integers(*RENDERED))
    film = generator.render(seed, size=(side, side), findings=findings, view=view, sex=sex)
    labels = np.array([float(key in findings) for key in KEYS])
    return as_bytes(frame(film.astype(np.float32) / DEPTH, SIZE)), labels, view, sex


def _findings(random: np.random.Generator) -> dict[str, float]:
    if random.random() < NORMAL:
        return {}
    chosen = random.choice(KEYS, size=2 if random.random() < SECOND else 1, replace=False)
    return {str(key): float(random.uniform(*SEVERITY)) for key in chosen}


def _version() -> str:
    """A digest of this file and of the generator's: a film of another generator is another film."""
    sources = sorted(Path(generator.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(p.read_bytes() for p in [*sources, Path(__file__)])).hexdigest()[:12]
