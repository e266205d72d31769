"""The films that a model is trained, calibrated and judged on, each framed as the service will frame it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cds.findings import FINDINGS
from cds.imaging.framing import frame
from cds.imaging.smoothing import Pixels

SIZE = 224
KEYS = tuple(FINDINGS)
SHARES = {"train": 0.5, "validation": 0.22, "test": 0.28}
"""Of the films of each finding, as nearly as whole patients allow."""


@dataclass(frozen=True, slots=True)
class Films:
    """n films as parallel arrays: ``pixels`` (n, SIZE, SIZE) uint8, ``labels`` (n, findings) 0 or 1, and who.

    ``names``: of the picture's file without its suffix, or of what was drawn.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.float64]
    names: NDArray[np.str_]
    patients: NDArray[np.str_]
    views: NDArray[np.str_]
    ages: NDArray[np.int64]
    sexes: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.pixels)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Self:
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def joined(self, other: Self) -> Self:
        return type(self)(
            *(np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Split:
    """Three sets without a patient in common; ``test`` is for the card's figures and for nothing else."""

    train: Films
    validation: Films
    test: Films


def read_nih(folder: Path) -> Films:
    """The films of ``labels.csv`` and ``images/``: ChestX-ray14, Wang et al., CVPR 2017; NIH Clinical Center."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Films(
        pixels=np.stack([framed(grey(folder, row["image_id"])) for row in rows]),
        labels=np.array([_labels({name.lower() for name, mark in row.items() if mark == "1"}) for row in rows]),
        names=np.array([row["image_id"] for row in rows]),
        patients=np.array([row["patient_id"] for row in rows]),
        views=np.array([row["view"] for row in rows]),
        ages=np.array([int(row["age"]) for row in rows]),
        sexes=np.array([row["sex"] for row in rows]),
    )


def grey(folder: Path, name: str) -> Pixels:
    """(H, W) in 0..1: a film of ``folder``'s ``images/`` as it is stored."""
    with Image.open(folder / "images" / f"{name}.jpg") as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def framed(film: Pixels) -> NDArray[np.uint8]:
    """(H, W) in 0..1 to (SIZE, SIZE) as the service frames it, in bytes."""
    return np.rint(frame(film, SIZE) * 255).astype(np.uint8)


def split(films: Films) -> Split:
    """Whole patients, dealt so that each set has its share of every finding, the rarest first.

    The order of the patients is that of a digest of their numbers: every run deals the same.
    """
    totals = films.labels.sum(0)
    dealt = {name: np.zeros(len(KEYS) + 1) for name in SHARES}
    rows: dict[str, list[int]] = {name: [] for name in SHARES}
    for patient in _rarest_first(films, totals):
        mine = np.flatnonzero(films.patients == patient)
        counts = np.append(films.labels[mine].sum(0), len(mine))
        decisive = _rarest(counts, totals)
        name = min(SHARES, key=lambda set_name: dealt[set_name][decisive] / SHARES[set_name])
        dealt[name] += counts
        rows[name] += mine.tolist()
    return Split(**{name: films.where(np.array(sorted(chosen))) for name, chosen in rows.items()})


def _rarest_first(films: Films, totals: NDArray[np.float64]) -> list[str]:
    def place(patient: str) -> tuple[float, str]:
        counts = np.append(films.labels[films.patients == patient].sum(0), 1)
        rarest = _rarest(counts, totals)
        many = totals[rarest] if rarest < len(KEYS) else np.inf
        return float(many), hashlib.sha256(patient.encode()).hexdigest()

    return sorted(np.unique(films.patients).tolist(), key=place)


def _rarest(counts: NDArray[np.float64], totals: NDArray[np.float64]) -> int:
    """The index of the rarest finding that ``counts`` has; one past the findings where it has none."""
    present = np.flatnonzero(counts[: len(KEYS)])
    return int(present[np.argmin(totals[present])]) if len(present) else len(KEYS)


def _labels(present: Iterable[str]) -> list[float]:
    return [float(key in present) for key in KEYS]
