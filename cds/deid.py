"""What ``cds deid`` does: de-identify a text, and measure on annotated notes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from cds.engine.bundles import Bundle
from cds.errors import NoteError
from cds.keys import Keys
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentified import Deidentified
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.evaluation import Evaluation, Recall, evaluate, read
from cds.notes.deidentification.known import KnownIdentifiers
from cds.settings import Settings


def deidentifier(settings: Settings) -> Deidentifier:
    """The service's own, with its key: the same patient has the same surrogates here and there."""
    classifier = TokenClassifier(Bundle.load(settings.models_dir / settings.deid_bundle))
    return Deidentifier(Keys.load(settings).pseudonym, classifier)


def deidentified(settings: Settings, file: TextIO, patient: TextIO | None) -> Deidentified:
    """The text of ``file``; ``patient`` is a FHIR R4 Patient or a Bundle with those around the patient."""
    return deidentifier(settings).deidentify(_text(file), known(patient) if patient else KnownIdentifiers())


def known(file: TextIO) -> KnownIdentifiers:
    """Raise :class:`NoteError` where ``file`` holds no Patient."""
    try:
        held = json.loads(_text(file).removeprefix("\ufeff"))
        entries = [entry["resource"] for entry in held.get("entry", ())] or [held]
        by_type: dict[str, list[Mapping[str, Any]]] = {}
        for resource in entries:
            by_type.setdefault(resource["resourceType"], []).append(resource)
        [patient, *_] = by_type["Patient"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise NoteError("the patient's file is no FHIR Patient, nor a Bundle with one") from None
    around = (by_type.get(kind, ()) for kind in ("Practitioner", "RelatedPerson", "Organization"))
    return KnownIdentifiers.from_fhir(patient, *around)


def report(result: Deidentified) -> dict[str, Any]:
    """How many identifiers of each category were replaced; what they were is not told."""
    counts = Counter(str(one.category) for one in result.replaced)
    return {"replaced": len(result.replaced), "categories": dict(sorted(counts.items()))}


def evaluated(settings: Settings, file: TextIO) -> Evaluation:
    """On the annotated notes of ``file``, with nothing known of any patient."""
    remove, nobody = deidentifier(settings), KnownIdentifiers()
    notes = read(_lines(file))
    return evaluate(lambda text: [(r.start, r.end) for r in remove.deidentify(text, nobody).replaced], notes)[0]


def table(evaluation: Evaluation) -> Iterator[str]:
    """For people; leaks are identifiers of which any part is left."""
    yield f"{'type':<12} {'spans':>6} {'recall':>7}  {'95 % interval':<16} leaks per 1,000 notes"
    for row in (*evaluation.types, evaluation.all):
        yield _line(row)
    yield f"precision {evaluation.precision:.4f} of {evaluation.words_removed} words removed"
    yield f"clinical terms destroyed per 1,000: {evaluation.terms_destroyed_per_1000:.2f} of {evaluation.terms} terms"  # noqa: E501
    yield f"{evaluation.notes} notes, {evaluation.words} words"


def _line(row: Recall) -> str:
    interval = f"{row.low:.4f} to {row.high:.4f}"
    return f"{row.type:<12} {row.spans:>6} {row.recall:>7.4f}  {interval:<16} {row.leaks_per_1000_notes:.1f}"


def _text(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError:
        raise NoteError(f"{file.name} is no UTF-8 text") from None


def _lines(file: TextIO) -> Iterable[str]:
    # Not splitlines(): within a line JSON may hold U+2028 and its like as they are.
    return _text(file).removeprefix("\ufeff").split("\n")
