"""How many groups of like score the intervals cover: ``python -m training.fusion.coverage --data DIR``.

The card has it for the test films, by intervals of the validation films: 70 groups, of which chance moves the
share by 7 %. Here both are put together, and each half of their patients is covered by weights and intervals that
the other half alone made, their width included, the halves drawn several times. So what is measured is the way of
making intervals, on nearly twice the films, none of which the model was trained on. Some minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.local import LocalEngine
from training.fusion.__main__ import (
    ASSUMED,
    DRAWS,
    FITTED_ON,
    MEASURED_ON,
    WIDTH_BY,
    Size,
    fit,
    scored_notes,
    written,
)
from training.fusion.pairs import Scored, folds, paired
from training.fusion.report import SEED, Fitted
from training.fusion.scoring import scored_films
from training.fusion.venn_abers import TURNS, covered, covered_in_turns
from training.image.films import read_nih, split
from training.note import real


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.fusion.coverage", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/ and notes/")
    parser.add_argument("--image", type=Path, default=Path("models/chest-radiograph"), metavar="BUNDLE")
    parser.add_argument("--note", type=Path, default=Path("models/clinical-note"), metavar="BUNDLE")
    arguments = parser.parse_args()
    engine = LocalEngine.load(Bundle.load(arguments.image), Bundle.load(arguments.note), device="cpu", threads=1)
    films = split(read_nih(arguments.data / "nih"))
    every = _together([scored_films(engine.score_image, part) for part in (films.validation, films.test)])
    _say("the image alone", len(every), covered_in_turns(every.probabilities, every.labels, every.patients))

    filler = real.unrelated([note.text for note in real.labelled_notes(arguments.data / "notes")])
    seeds = (FITTED_ON, MEASURED_ON, *WIDTH_BY)
    notes, new, *others = (scored_notes(engine, written(seed, Size().notes, filler)) for seed in seeds)
    halves = (half for seed in range(TURNS) for half in folds(every.patients, 2, seed))
    _say(
        "image and note",
        len(every),
        (_covered(fit(every.where(~half), notes, others), every.where(half), new) for half in halves),
    )


def _together(parts: list[Scored]) -> Scored:
    return Scored(*(np.concatenate([getattr(part, of) for part in parts]) for of in Scored.__slots__))


def _covered(fitted: Fitted, films: Scored, notes: Scored) -> list[bool]:
    pairs, first = paired(films, notes, ASSUMED, draws=DRAWS, seed=SEED), slice(None, None, DRAWS)
    return covered(fitted.fused(pairs)[first], pairs.labels[first], fitted.steps["both"])


def _say(by: str, films: int, halves: Iterator[list[bool]]) -> None:
    groups = list(halves)
    shares = [float(np.mean(half)) for half in groups]
    print(
        f"{by}: {np.mean(shares):.3f} of {sum(map(len, groups))} groups of {films} films are covered; "
        f"of one half's {min(shares):.3f} to {max(shares):.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
