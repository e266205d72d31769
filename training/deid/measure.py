"""What the whole de-identifier finds in notes that training has not seen, set by set.

What is done is kept beside the bundle until all is, so that a run which was broken off goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cds.notes.deidentification
from cds.engine.bundles import Bundle
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.evaluation import Annotated, Evaluation, Recall, evaluate
from cds.notes.deidentification.known import KnownIdentifiers
from training.deid import handwritten, presidio_research
from training.deid import written as written_by_hand
from training.deid.carriers import paragraphs
from training.deid.corpus import corpus
from training.deid.lists import split_of
from training.deid.writer import Note, Writer

TOLD = "Identifiers that the EHR tells"
"""Its precision says nothing: of each note only what the EHR tells is marked."""

Measure = Callable[[], Evaluation]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Notes of each set: blind ones, those looked at while mending, with unknown names, and with an EHR."""

    blind: int = 150
    seen: int = 50
    unknown: int = 50
    told: int = 80


def measured(out: Path, data: Path, sizes: Sizes) -> dict[str, Evaluation]:
    """By the name of the set; of those named blind neither rules nor thresholds have seen a note."""
    kept = _Kept(out)
    for name, measure in _sets(TokenClassifier(Bundle.load(out)), data, sizes).items():
        if name not in kept.done:
            kept.keep(name, measure())
        print(f"{name}: {kept.done[name].all.recall:.3f}", file=sys.stderr, flush=True)
    kept.forget()
    return kept.done


class _Kept:
    """The figures so far of this bundle under these rules."""

    def __init__(self, out: Path) -> None:
        self._file = out.with_name(f"{out.name}.measured.json")
        self._of = _fingerprint(out)
        held = json.loads(self._file.read_text()) if self._file.exists() else {}
        same = held.get("of") == self._of
        self.done = {name: _read(figures) for name, figures in held["sets"].items()} if same else {}

    def keep(self, name: str, evaluation: Evaluation) -> None:
        self.done[name] = evaluation
        sets = {done: one.as_json() for done, one in self.done.items()}
        self._file.write_text(json.dumps({"of": self._of, "sets": sets}))

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


def _fingerprint(out: Path) -> str:
    """Of the model and of the code around it."""
    rules = Path(cds.notes.deidentification.__file__).parent
    model = [path for path in out.iterdir() if path.name not in ("bundle.json", "card.md")]
    files = sorted((*model, *rules.rglob("*.py"), *rules.rglob("*.txt")))
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def _read(figures: Mapping[str, Any]) -> Evaluation:
    rows = {"all": Recall(**figures["all"]), "types": tuple(Recall(**row) for row in figures["types"])}
    return Evaluation(**{**figures, **rows})


def _sets(classifier: TokenClassifier, data: Path, sizes: Sizes) -> Mapping[str, Measure]:
    """Each is written when its turn comes."""
    written = partial(corpus, data, "heldout")
    research = data / "phi-dev" / "presidio_research_2109.json"
    stranger = TokenClassifier(classifier.bundle, unknown=lambda word: split_of(word) == "heldout")
    notes: Mapping[str, Callable[[], Iterable[Note]]] = {
        "Blind, seventh set: written by hand, by another": partial(handwritten.notes, "blind7"),
        "Blind, sixth set: written by hand, by another": partial(handwritten.notes, "blind6"),
        "Notes by hand of the training's writers, held out": written_by_hand.held_out,
        "Fifth set, looked at since: written by hand, by another": partial(handwritten.notes, "blind5"),
        "Fourth set, looked at since: written by hand": partial(handwritten.notes, "blind4"),
        "Third set, looked at since: written by hand": partial(handwritten.notes, "blind3"),
        "Third set, looked at since: generated": partial(written, sizes.blind, seed=80, templates="blind3"),
        "Blind, first set: written by hand": partial(handwritten.notes, "blind"),
        "Blind, first set: generated from other templates, names and real sentences": partial(
            written, sizes.blind, seed=78, templates="blind"
        ),
        "Second set, looked at since: written by hand": partial(handwritten.notes, "blind2"),
        "Second set, looked at since: generated": partial(written, sizes.seen, seed=79, templates="blind2"),
        "Written by hand": handwritten.notes,
        "Generated from other templates, names and real sentences": partial(written, sizes.seen, seed=1),
        "presidio-research, its second file": lambda: (note for _, note in presidio_research.notes(research)),
        "presidio-research, its second file, with all that is annotated": partial(
            presidio_research.as_annotated, research
        ),
    }
    unknown = "Third set, looked at since: generated, with names that no list knows"
    return {
        **{name: partial(_of, classifier, made) for name, made in notes.items()},
        unknown: partial(_of, stranger, partial(written, sizes.unknown, seed=80, templates="blind3")),
        TOLD: partial(_told, classifier, data, sizes.told),
    }


def _of(classifier: TokenClassifier, notes: Callable[[], Iterable[Note]]) -> Evaluation:
    deidentifier, nobody = Deidentifier(bytes(32), classifier), KnownIdentifiers()
    return evaluate(
        lambda text: [(r.start, r.end) for r in deidentifier.deidentify(text, nobody).replaced],
        map(_annotated, notes()),
    )[0]


def _told(classifier: TokenClassifier, data: Path, count: int) -> Evaluation:
    """Misspelt, reordered, in any letters, with the patient, a relative and a clinician known."""
    writer = Writer("heldout", paragraphs(data / "notes", "heldout"), seed=4)
    written = [writer.known(words=400) for _ in range(count)]
    known = {note.text: who for note, who in written}
    deidentifier = Deidentifier(bytes(32), classifier)
    return evaluate(
        lambda text: [(r.start, r.end) for r in deidentifier.deidentify(text, known[text]).replaced],
        (_annotated(note) for note, _ in written),
    )[0]


def _annotated(note: Note) -> Annotated:
    return Annotated(note.text, tuple((start, end, str(category)) for start, end, category in note.spans))
