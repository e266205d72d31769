"""The films that the gate is fitted, limited and judged on; no patient, and no drawn seed, is in two sets."""

from __future__ import annotations

import csv
import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cds.errors import ImagingError
from cds.imaging.framing import framed
from cds.imaging.pictures import read_picture
from cds.imaging.pixels import read_radiograph
from cds.sandbox.radiograph import render, render_lateral
from training.image.films import read_nih, split
from training.quality.made import SIDE, Picture

ASKED = {"height": SIDE, "width": SIDE}
DRAWN = 320
"""Pixels of a drawn film before it is framed."""
SEEDS = {"fit": 910_000, "limits": 920_000, "test": 930_000}


@dataclass(frozen=True, slots=True)
class Chests:
    """Upright frontal films of one set, by where they are from, and lateral ones, which are drawn."""

    frontal: dict[str, list[Picture]]
    lateral: list[Picture]

    @property
    def all(self) -> list[Picture]:
        return [film for films in self.frontal.values() for film in films]


def chests(data: Path, counts: dict[str, int]) -> dict[str, Chests]:
    """Sets ``fit``, ``limits`` and ``test``; ``counts`` says how many drawn films each has."""
    nih = split(read_nih(data / "nih"))
    parts = {"fit": nih.train, "limits": nih.validation, "test": nih.test}
    children = _children(data / "kermany")
    return {
        name: Chests(
            {
                "NIH ChestX-ray14": [film.astype(np.float32) / 255 for film in parts[name].pixels],
                "Kermany (children)": children[name],
                "drawn": [_framed(render(seed, size=(DRAWN, DRAWN))) for seed in _seeds(name, count)],
            },
            [_lateral(seed) for seed in _seeds(name, count)],
        )
        for name, count in counts.items()
    }


def others(data: Path) -> Iterator[tuple[str, Picture]]:
    """DICOM files that show no radiograph of a chest, by modality: sections, ultrasound, test patterns."""
    with (data / "dicom" / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["modality"] != "CR" and row["body_part"] != "CHEST"]
    for row in rows:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                film = read_radiograph((data / "dicom" / row["file"]).read_bytes())
        except ImagingError:
            continue
        yield row["modality"] or "?", framed(film.pixels, ASKED)


def _children(folder: Path) -> dict[str, list[Picture]]:
    """A third of the patients to each set."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, list[Picture]] = {"fit": [], "limits": [], "test": []}
    for row in rows:
        place = hashlib.sha256(row["patient_id"].encode()).digest()[0] % len(found)
        pixels = read_picture((folder / "images" / row["file"]).read_bytes())
        found[list(found)[place]].append(framed(pixels, ASKED))
    return found


def _seeds(name: str, count: int) -> Iterable[int]:
    return range(SEEDS[name], SEEDS[name] + count)


def _lateral(seed: int) -> Picture:
    return _framed(render_lateral(seed, size=(DRAWN, DRAWN), sex="F" if seed % 2 else "M"))


def _framed(film: np.ndarray) -> Picture:
    return framed(film.astype(np.float32) / np.float32(4095), ASKED)


def every(films: Sequence[Picture], most: int) -> Sequence[Picture]:
    """At most so many of them, evenly."""
    step = max(1, -(-len(films) // most))
    return films[::step]
