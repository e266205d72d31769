"""How often the gate is right, by kind and by source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cds.engine.quality import BLANK, WORDS, QualityGate
from cds.imaging.framing import framed
from training.quality.made import SIDE, WRONG, Picture, plain
from training.quality.pictures import ASKED, Chests, every

CARD = Path(__file__).with_name("card.md")
MADE = 150
"""Wrong pictures of each kind and source."""
Said = Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of each picture: of films that are right by source, of the others by kind."""

    right: Mapping[str, Said]
    wrong: Mapping[str, Said]


def judged(gate: QualityGate, test: Chests, others: Sequence[tuple[str, Picture]], *, seed: int) -> Judged:
    random = np.random.default_rng(seed)
    right = {source: list(films) for source, films in test.frontal.items()}
    right |= {
        f"{source}, tilted, cut, in another tone": [plain(film, random) for film in every(films, MADE)]
        for source, films in test.frontal.items()
    }
    real = [film for source, films in test.frontal.items() if source != "drawn" for film in every(films, MADE)]
    wrong = {WORDS[kind]: [made(film, random) for film in real] for kind, made in WRONG.items()}
    wrong[f"{WORDS['turned']} (a quarter left)"] = [np.ascontiguousarray(np.rot90(film)) for film in real]
    wrong[f"{WORDS['turned']} (upside down)"] = [np.ascontiguousarray(np.rot90(film, 2)) for film in real]
    wrong[f"{WORDS['lateral']} (drawn)"] = list(test.lateral)
    wrong["no radiograph of a chest (CT, MR, US, others; DICOM)"] = [picture for _, picture in others]
    wrong["blank, with noise"] = [_noise(random) for _ in range(MADE)]
    wrong[BLANK] = [np.full((SIDE, SIDE), grey, np.float32) for grey in np.linspace(0, 1, 20)]
    return Judged(_said(gate, right), _said(gate, wrong))


def as_json(figures: Judged) -> dict[str, dict[str, dict[str, float]]]:
    return {
        name: {of: {"pictures": len(said), "flagged": _flagged(said)} for of, said in by.items()}
        for name, by in {"right": figures.right, "wrong": figures.wrong}.items()
    }


def card(figures: Judged, counts: Mapping[str, Mapping[str, int]], lessons: int) -> str:
    films = {name: ", ".join(f"{count} {source}" for source, count in one.items()) for name, one in counts.items()}
    return CARD.read_text().format(
        lessons=lessons,
        **{f"{name}_films": text for name, text in films.items()},
        right_table="\n".join(_rows("films that are right", figures.right)),
        wrong_table="\n".join(_rows("pictures that are not", figures.wrong)),
    )


def _rows(title: str, said: Mapping[str, Said]) -> Iterator[str]:
    yield f"| {title} | pictures | flagged | most often said |"
    yield "|---|---|---|---|"
    for name, each in said.items():
        words = [word for one in each for word in one]
        often = max(sorted(set(words)), key=words.count) if words else "-"
        yield f"| {name} | {len(each)} | {_flagged(each):.3f} | {often} |"


def _flagged(said: Said) -> float:
    return sum(map(bool, said)) / len(said)


def _said(gate: QualityGate, pictures: Mapping[str, Sequence[Picture]]) -> dict[str, Said]:
    return {name: [gate(picture) for picture in each] for name, each in pictures.items()}


def _noise(random: np.random.Generator) -> Picture:
    film = np.clip(random.normal(random.uniform(0.1, 0.9), random.uniform(0.005, 0.05), (300, 300)), 0, 1)
    return framed(film.astype(np.float32), ASKED)
