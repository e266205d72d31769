"""Fit the fusion bundle: ``python -m training.fusion --data DIR --out models/late-fusion``; some four minutes.

Weights and intervals are fitted on the image model's validation films, whose patients are not among its training
films (these it scores too surely) nor among its test films, which are here what everything is measured on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.local import LocalEngine
from training.fusion.coverage import in_turns
from training.fusion.fitting import fit
from training.fusion.pairs import Scored
from training.fusion.report import Held, as_json, card
from training.fusion.scoring import matrix, scored_films
from training.fusion.sealing import seal
from training.image.films import read_nih, split
from training.note import evaluate, real
from training.note.generate import Note, Writer

FITTED_ON, WIDTH_BY, MEASURED_ON = 11, (13, 14), 12
"""Seeds of generated notes: of those that all is fitted on, of those that choose how wide an interval is where a
note has a part in it, and of those that the figures are of."""
BANK = "heldout"
"""Phrases that the note model has not learnt from."""


@dataclass(frozen=True, slots=True)
class Size:
    films: int | None = None
    notes: int = 1200


SMOKE = Size(films=60, notes=120)


def main() -> None:
    arguments = _arguments()
    size = SMOKE if arguments.smoke else Size()
    engine = LocalEngine.load(Bundle.load(arguments.image), Bundle.load(arguments.note), device="cpu", threads=1)
    films = split(read_nih(arguments.data / "nih"))
    by_hand = [*evaluate.written("reports"), *evaluate.written("handwritten")]
    filler = real.unrelated([note.text for note in real.labelled_notes(arguments.data / "notes")])

    def notes(seed: int) -> Scored:
        return scored_notes(engine, written(seed, size.notes, filler))

    validation, test = (
        scored_films(engine.score_image, part, size.films) for part in (films.validation, films.test)
    )
    known, others, new = notes(FITTED_ON), [notes(seed) for seed in WIDTH_BY], notes(MEASURED_ON)
    fitted = fit(validation, known, others)
    held = Held(films=test, generated=new, by_hand=scored_notes(engine, by_hand))
    figures = as_json(fitted, held, in_turns(validation.joined(test), known, others, new))
    versions = (engine.image_bundle.version, engine.note_bundle.version)
    seal(arguments.out, fitted, versions, card(fitted, held, figures, versions))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def written(seed: int, count: int, filler: Sequence[real.Statement]) -> list[Note]:
    writer = Writer(BANK, seed=seed, real=filler)
    return [writer.note() for _ in range(count)]


def scored_notes(engine: LocalEngine, notes: Sequence[Note]) -> Scored:
    scores = [engine.score_note(note.text) for note in notes]
    return Scored(matrix(scores), evaluate.labels(notes), np.array([""] * len(notes)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.fusion", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/ and notes/")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--image", type=Path, default=Path("models/chest-radiograph"), metavar="BUNDLE")
    parser.add_argument("--note", type=Path, default=Path("models/clinical-note"), metavar="BUNDLE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of the card there too")
    parser.add_argument("--smoke", action="store_true", help="few films and notes: proves that the script runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
