"""Make the gate: ``python -m training.quality --data DIR --out models/film-quality``; some minutes of one core."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from cds.engine.bundles import Bundle, sha256
from cds.engine.quality import QualityGate
from training.quality.fit import Lesson, fit
from training.quality.made import WRONG, plain
from training.quality.pictures import Chests, chests, every, others
from training.quality.report import Judged, as_json, card, judged

VERSION = "1.0.0"
DRAWN = {"fit": 300, "limits": 60, "test": 100}
TAKEN = 600
"""Films of one source at most that lessons are made of."""
LIMITING = 240
"""Films of one source at most that limits are set on: no source decides alone."""
INTENDED_USE = (
    "Marks pictures that a chest radiograph model cannot be asked about. Demonstration; not a medical device."
)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    drawn = dict.fromkeys(DRAWN, 6) if arguments.smoke else DRAWN
    sets = chests(arguments.data, drawn)
    random = np.random.default_rng(0)
    lessons = list(_lessons(sets["fit"], random, 40 if arguments.smoke else TAKEN))
    limiting = [film for films in sets["limits"].frontal.values() for film in every(films, LIMITING)]
    right = [one for film in limiting for one in (film, plain(film, random))]
    tensors, limits = fit(lessons, right)
    _seal(arguments.out, tensors, limits, "")
    gate = QualityGate.from_bundle(Bundle.load(arguments.out))
    figures = judged(gate, sets["test"], list(others(arguments.data)), seed=1)
    _seal(arguments.out, tensors, limits, _card(figures, sets, lessons))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(figures), indent=1) + "\n")


def _lessons(films: Chests, random: np.random.Generator, most: int) -> Iterator[Lesson]:
    for source in films.frontal.values():
        for film in every(source, most):
            yield Lesson(film, None)
            yield Lesson(plain(film, random), None)
            for kind, made in WRONG.items():
                yield Lesson(made(film, random), kind)
    for film in films.lateral:
        for _ in range(4):
            yield Lesson(plain(film, random), "lateral")


def _card(figures: Judged, sets: dict[str, Chests], lessons: list[Lesson]) -> str:
    counts = {name: {source: len(films) for source, films in one.frontal.items()} for name, one in sets.items()}
    return card(figures, counts, len(lessons))


def _seal(directory: Path, tensors: dict[str, np.ndarray], limits: dict[str, float], text: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    types = {name: np.float16 if name == "basis" else np.float32 for name in tensors}
    save_file(
        {name: np.array(one, types[name], order="C") for name, one in tensors.items()},
        directory / "model.safetensors",
    )
    (directory / "card.md").write_text(text)
    manifest = {
        "name": "film-quality",
        "version": VERSION,
        "kind": "quality",
        "findings": [],
        "thresholds": {},
        "limits": limits,
        "licence": "Apache-2.0; data: NIH Clinical Center, Wang et al., CVPR 2017; Kermany et al. 2018, CC BY 4.0",
        "intended_use": INTENDED_USE,
        "files": {name: sha256(directory / name) for name in ("card.md", "model.safetensors")},
    }
    (directory / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.quality", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/, kermany/ and dicom/")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the card's figures there too")
    parser.add_argument("--smoke", action="store_true", help="few films: proves that the script runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
