"""How many groups of like score the image's intervals cover: ``python -m training.fusion.coverage --data DIR``.

The card has it for the test films, by intervals of the validation films: 70 groups, of which chance moves the
share by 7 %. Here both are put together, and each half of their patients is covered by intervals that the
other half alone made, their width included, the halves drawn several times. So what is measured is the way of
making intervals, on nearly twice the films, none of which the model was trained on. About a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader
from training.fusion.scoring import scored_films
from training.fusion.venn_abers import covered_in_turns
from training.image.films import read_nih, split


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.fusion.coverage", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/")
    parser.add_argument("--image", type=Path, default=Path("models/chest-radiograph"), metavar="BUNDLE")
    arguments = parser.parse_args()
    films = split(read_nih(arguments.data / "nih"))
    reader = ImageReader.load(Bundle.load(arguments.image), "cpu")
    parts = [scored_films(reader.score, part) for part in (films.validation, films.test)]
    scores, labels = (np.concatenate([getattr(part, of) for part in parts]) for of in ("probabilities", "labels"))
    patients = np.concatenate([part.patients for part in parts])
    halves = list(covered_in_turns(scores, labels, patients))
    shares = [float(np.mean(half)) for half in halves]
    print(
        f"{np.mean(shares):.3f} of {sum(map(len, halves))} groups of {len(labels)} films are covered; "
        f"of one half's {min(shares):.3f} to {max(shares):.3f}"
    )


if __name__ == "__main__":
    main()
