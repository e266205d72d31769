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
from training.fusion import conformal, stacking, venn_abers
from training.fusion.pairs import Assumption, Scored, paired
from training.fusion.report import Fitted, Held, as_json, card
from training.fusion.scoring import matrix, scored_films
from training.fusion.sealing import seal
from training.image.films import read_nih, split
from training.note import evaluate, real
from training.note.generate import Note, Writer

ASSUMED = Assumption(sensitivity=0.60, specificity=0.95)
"""Chosen and not measured: what a note written before the film may know of it."""
OTHERWISE = (Assumption(0.8, 0.95), Assumption(0.4, 0.98), Assumption(0.6, 0.8), Assumption(0.05, 0.95))
"""What becomes of the figures where notes are not what was assumed; of the last, where they know nothing."""
DRAWS = 8
"""Notes for each film."""
FITTED_ON, WIDTH_BY, MEASURED_ON = 11, (13, 14), 12
"""Seeds of generated notes: of those that all is fitted on, of those that choose how wide the interval of a note
alone is, and of those that the figures are of."""
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

    validation = scored_films(engine.score_image, films.validation, size.films)
    fitted = fit(validation, notes(FITTED_ON), [notes(seed) for seed in WIDTH_BY])
    held = Held(
        films=scored_films(engine.score_image, films.test, size.films),
        generated=notes(MEASURED_ON),
        by_hand=scored_notes(engine, by_hand),
        draws=DRAWS,
        assumed=ASSUMED,
        otherwise=OTHERWISE,
    )
    versions = (engine.image_bundle.version, engine.note_bundle.version)
    seal(arguments.out, fitted, versions, card(fitted, held, versions))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(fitted, held), indent=1) + "\n")


def fit(films: Scored, notes: Scored, others: Sequence[Scored]) -> Fitted:
    """Weights, intervals and sets from films and notes that the models were not trained on.

    ``others``: more notes, which choose how wide the intervals of a note alone are.
    """
    pairs = paired(films, notes, ASSUMED, draws=DRAWS, seed=1)
    stack = stacking.fit_with_best_prior(pairs)
    fused = stacking.out_of_fold(pairs, stack.prior)
    errors = {
        "both": venn_abers.narrowest(fused, pairs.labels, pairs.patients, DRAWS),
        "image": venn_abers.narrowest(films.probabilities, films.labels, films.patients, 1),
        "note": venn_abers.narrowest_for(others, notes),
    }
    return Fitted(
        stack=stack,
        errors=errors,
        steps={
            "both": venn_abers.by_finding(fused, pairs.labels, DRAWS, errors["both"]),
            "image": venn_abers.by_finding(films.probabilities, films.labels, 1, errors["image"]),
            "note": venn_abers.by_finding(notes.probabilities, notes.labels, 1, errors["note"]),
        },
        sets=conformal.fitted(fused, pairs.labels),
        films=len(films),
        notes=len(notes),
    )


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
