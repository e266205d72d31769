"""Sentences of real visit notes (ACI-Bench, MTS-Dialog; CC BY 4.0) that state none of the findings.

Read from the data directory while training; none of it is kept in this repository.
"""

from __future__ import annotations

import csv
import math
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cds.engine.sentences import sentences
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.reading import prepare
from training.note.generate import KEYS, Note, Statement, labelled

SPEAKS_OF_A_FINDING = re.compile(
    r"atelect|cardiomeg|heart failure|chf\b|cardiomyopath|consolid|pulmonary edema|effusion|emphysem|fibros|"
    r"hernia|infiltrat|\bmass\b|nodul|pleura|pneumo|copd|obstructive|lung|crackle|\brales?\b|rhonch|opaci|bnp\b|tumou?r|"
    r"cancer|carcinoma|hemopty|orthopnea|sputum|breath sounds|asbest|congestive|interstitial|pnd\b|fluid",
    re.IGNORECASE,
)
SURELY_NONE = re.compile(
    r"^[^,]*\b(lungs?|chest)( are| is|:)? (clear|cta)\b|"
    r"\bno (wheez|rales|crackl|rhonchi|palpable|abdominal mass|masses|effusion|joint|signs of|evidence of|"
    r"history of)|\bdenies\b|\b(knee|elbow|ankle|joint|shoulder|hip)s?\b.*effusion|"
    r"effusion.*\b(knee|elbow|ankle|joint|lateral)\b|inguinal hernia|hernia repair|"
    r"hernia(ted|tion)?\b.*\bdis[ck]|dis[ck]\b.*\bhernia|thyroid|breast (mass|cancer)|prostate cancer|ovarian|"
    r"atrial fibrillation|fluid (intake|resus)|i\.?v\.? fluids?|"
    r"(mother|father|brother|sister|grand\w+|family|siblings?)\b",
    re.IGNORECASE,
)
TRAINING_FILES = (
    "acibench_train.csv",
    "acibench_valid.csv",
    "MTS_Dataset_TrainingSet.csv",
    "MTS_Dataset_ValidationSet.csv",
)
TEST_FILES = (
    "acibench_clinicalnlp_taskB_test1.csv",
    "acibench_clinicalnlp_taskC_test2.csv",
    "acibench_clef_taskC_test3.csv",
    "MTS_Dataset_Final_200_TestSet_1.csv",
    "MTS_Dataset_Final_200_TestSet_2.csv",
)
LABELS = Path(__file__).parent / "real_labels.csv"


def notes(directory: Path, files: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """File, number and de-identified, prepared text of the notes of those of ``files`` that are there."""
    deidentifier = Deidentifier(bytes(32))
    for name in files:
        path = directory / name
        if not path.is_file():
            continue
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                number = row.get("encounter_id") or row["ID"]
                text = row.get("note") or row["section_text"]
                known = KnownIdentifiers(subject=f"{name} {number}")
                yield name, number, prepare([deidentifier.deidentify(text, known).text])


def unrelated(texts: Sequence[str]) -> list[Statement]:
    """Their sentences of 3 to 60 words that surely state none of the findings."""
    said = (sentence for text in texts for sentence in sentences(text))
    return [
        Statement(s.text, labelled(), s.heading)
        for s in said
        if 3 <= len(s.text.split()) <= 60
        and (not SPEAKS_OF_A_FINDING.search(s.text) or SURELY_NONE.search(s.text))
    ]


def buried(found: Sequence[Note], among: Sequence[Note], words: int, *, seed: int) -> list[Note]:
    """Each of ``found`` somewhere within so many ``words`` of notes that have no finding."""
    r = random.Random(seed)
    plain = [note.text for note in among if set(note.labels.values()) == {0.0}]
    return [Note(_within(note.text, plain, words, r), note.labels) for note in found] if plain else []


def _within(text: str, plain: Sequence[str], words: int, r: random.Random) -> str:
    parts: list[str] = []
    while sum(len(part.split()) for part in parts) < words:
        parts.append(r.choice(plain))
    parts.insert(r.randrange(len(parts) + 1), text)
    return "\n\n".join(parts)


def labelled_notes(directory: Path) -> list[Note]:
    """The test files' notes; all findings absent but for those that ``real_labels.csv`` names."""
    with LABELS.open(newline="") as file:
        stated = {(row["file"], row["id"]): row for row in csv.DictReader(file)}
    held = []
    for name, number, text in notes(directory, TEST_FILES):
        row = stated.get((name, number), {"present": "", "open": ""})
        marks = dict.fromkeys(row["present"].split(), 1.0) | dict.fromkeys(row["open"].split(), math.nan)
        held.append(Note(text, dict.fromkeys(KEYS, 0.0) | marks))
    return held
