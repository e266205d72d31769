"""How scores survive another scanner: ``python -m training.image.scanners --data DIR``; two minutes of one core.

Every validation film is changed by code before it is framed, as another scanner or another hand might have made
it, and scored by a bundle. Prints the table of docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader
from cds.imaging.framing import framed
from cds.imaging.smoothing import Pixels, smoothed
from training.image.films import KEYS, grey, read_nih, split
from training.image.report import mean_auroc

Change = Callable[[Pixels], Pixels]
"""(H, W) in 0..1 to another film in 0..1."""


@dataclass(frozen=True, slots=True)
class Survived:
    """What became of all films by one change; ``moved`` and ``moved_95`` are of single probabilities."""

    film: str
    auroc: float
    """The mean over the findings that can be judged."""
    moved: float
    moved_95: float


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    held_out = split(read_nih(arguments.data / "nih")).validation
    films = [grey(arguments.data / "nih", name) for name in held_out.names]
    reader = ImageReader.load(Bundle.load(arguments.bundle), "cpu")
    rows = list(survived(reader, films, held_out.labels))
    print("\n".join(_table(rows)))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def survived(reader: ImageReader, films: Sequence[Pixels], labels: NDArray[np.float64]) -> Iterator[Survived]:
    """What each of :data:`CHANGES` does to ``films``, (H, W) in 0..1; ``labels`` are (films, findings)."""
    scores = {name: _probabilities(reader, [change(film) for film in films]) for name, change in CHANGES.items()}
    for name, changed in scores.items():
        moved = np.abs(changed - scores["as it is"])
        yield Survived(name, mean_auroc(changed, labels), float(moved.mean()), float(np.quantile(moved, 0.95)))


def _probabilities(reader: ImageReader, films: Sequence[Pixels]) -> NDArray[np.float64]:
    """(films, findings), each film framed as the service does."""
    scores = [reader.score(framed(film, reader.bundle.input)).probabilities for film in films]
    return np.array([[score[key] for key in KEYS] for score in scores])


def _as_it_is(film: Pixels) -> Pixels:
    return film


def _noisy(film: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 0.04, film.shape)
    return np.clip(film + noise, 0, 1).astype(np.float32)


def _coarse(film: Pixels) -> Pixels:
    """Two fifths of the pixels in each direction, and as large as before."""
    rows, columns = film.shape
    few = smoothed(film, (rows * 2 // 5, columns * 2 // 5))
    return np.clip(smoothed(few, (rows, columns)), 0, 1)


def _blurred(film: Pixels) -> Pixels:
    """The mean of three by three pixels."""
    wide = np.pad(film, 1, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(wide, (3, 3))
    soft: Pixels = around.mean((2, 3), dtype=np.float32)
    return soft


def _dark(film: Pixels) -> Pixels:
    return film**1.5


def _bright(film: Pixels) -> Pixels:
    return film**0.67


def _narrow(film: Pixels) -> Pixels:
    """A window of two thirds of the values: what lies outside is black or white."""
    steeper: Pixels = (film - 0.5) * 1.5 + 0.5
    return np.clip(steeper, 0, 1)


def _cropped(film: Pixels) -> Pixels:
    """A twentieth off each side."""
    rows, columns = (side // 20 for side in film.shape)
    return film[rows:-rows, columns:-columns]


def _collimated(film: Pixels) -> Pixels:
    """A black border around it, a tenth of its height and width on each side."""
    rows, columns = (side // 10 for side in film.shape)
    return np.pad(film, ((rows, rows), (columns, columns)))


def _inverted(film: Pixels) -> Pixels:
    return 1 - film


CHANGES: Mapping[str, Change] = {
    "as it is": _as_it_is,
    "noise of 4 % of the range": _noisy,
    "two fifths of the pixels": _coarse,
    "blurred": _blurred,
    "darker (gamma 1.5)": _dark,
    "brighter (gamma 0.67)": _bright,
    "a narrower window": _narrow,
    "cropped by a twentieth": _cropped,
    "with a black border": _collimated,
    "black for white": _inverted,
}


def _table(rows: list[Survived]) -> Iterator[str]:
    yield "| film | mean AUROC | probabilities move by | 95 of 100 by less than |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.film} | {row.auroc:.3f} | {row.moved:.3f} | {row.moved_95:.3f} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.image.scanners", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/labels.csv and nih/images")
    parser.add_argument("--bundle", type=Path, default=Path("models/chest-radiograph"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
