"""``python -m training.deid.corpus FILE``: generated long notes with gold spans, in JSON lines.

Names, drugs and diagnoses, layouts and real sentences are those that training never uses (``--split heldout``).
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from training.deid.carriers import paragraphs
from training.deid.lists import Split
from training.deid.writer import Note, Writer

DATA = Path(os.environ.get("SIGHTLINE_DATA", "../shared/data"))
LENGTHS = (150, 250, 400, 600, 900, 1500, 2500)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.deid.corpus", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--split", choices=("train", "heldout"), default="heldout")
    parser.add_argument("--templates", default="", help="a file of banks/ other than the split's own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    notes = corpus(
        arguments.data, arguments.split, arguments.notes, seed=arguments.seed, templates=arguments.templates
    )
    write(arguments.file, notes)


def corpus(data: Path, split: Split, count: int, *, seed: int, templates: str = "") -> Iterator[Note]:
    writer = Writer(split, paragraphs(data / "notes", split), seed=seed, templates=templates)
    lengths = random.Random(seed)
    for _ in range(count):
        yield writer.note(words=lengths.choice(LENGTHS))


def write(file: Path, notes: Iterator[Note]) -> None:
    """The lines that ``cds deid evaluate`` reads."""
    with file.open("w", encoding="utf-8") as out:
        for note in notes:
            spans = [{"start": s, "end": e, "type": str(c)} for s, e, c in note.spans]
            out.write(json.dumps({"text": note.text, "spans": spans}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
