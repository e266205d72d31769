"""Sentences of real visit notes (ACI-Bench, MTS-Dialog; CC BY 4.0) that state none of the findings.

Read from the data directory while training; none of it is kept in this repository.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

SPEAKS_OF_A_FINDING = re.compile(
    r"atelect|cardiomeg|heart|cardiac|consolid|edema|swelling|effusion|emphysem|fibro|hernia|infiltrat|mass|nodul|"
    r"pleura|pneumo|copd|obstructive|lung|chest|crackle|rale|rhonch|opaci|bnp|tumou?r|cancer|lesion|x-?ray|ct\b|"
    r"hemopty|orthopnea|sputum|fluid|breath sounds|asbest|dyspnea|congest",
    re.I,
)
TRAINING_FILES = ("acibench_train.csv", "MTS_Dataset_TrainingSet.csv")
HELDOUT_FILES = ("acibench_clinicalnlp_taskB_test1.csv", "MTS_Dataset_Final_200_TestSet_1.csv")


def notes(directory: Path, files: Sequence[str]) -> Iterator[str]:
    """The note texts of those of ``files`` that are there."""
    for name in files:
        path = directory / name
        if not path.is_file():
            continue
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield row.get("note") or row["section_text"]


def unrelated_sentences(texts: Sequence[str]) -> list[str]:
    """Their sentences of 4 to 40 words in which nothing speaks of a finding."""
    sentences = (s.strip() for text in texts for s in re.split(r"(?<=[.?!])\s+|\n+", text))
    return [s for s in sentences if 4 <= len(s.split()) <= 40 and not SPEAKS_OF_A_FINDING.search(s)]
