"""What a core does for a prescreen: decode films and slices, take identifiers out of notes, find the evidence.

Nothing here goes to the network or to the database: what it is given and what it returns crosses to other
processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from cds.deadline import Deadline
from cds.ehr.documents import Document
from cds.engine.local import LocalEngine
from cds.engine.quality import QualityGate
from cds.engine.slices import SliceReader
from cds.errors import NoteError
from cds.findings import Evidence, NoteSeen, PartScore
from cds.imaging.ct.slice import CtInstance, Hounsfield, read_instance, read_slice
from cds.imaging.ct.windows import Picture, pictured
from cds.imaging.film import Film, read_film
from cds.inference.engine import Engine, Models, NotesRead, Operation, by_models
from cds.inference.once_deidentified import OnceDeidentified
from cds.notes.context import PatientContext
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentified import Deidentified
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.evidence import Source, evidence, placed
from cds.notes.extraction import extract
from cds.notes.reading import prepare, worth_reading

MOST_WITHHELD = 2
"""Notes that take too long; with more of them a core would be busy for minutes."""


@dataclass(frozen=True, slots=True)
class _Readable:
    """A document that could be read, and its words."""

    seen: NoteSeen
    text: str
    appends: tuple[str, ...]


class Reading:
    """Everything that a core needs, and what it can do."""

    def __init__(
        self,
        deidentifier: Deidentifier,
        quality: QualityGate,
        image_input: Mapping[str, Any],
        ct_inputs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._deidentifier = deidentifier
        self._once_deidentified = OnceDeidentified(deidentifier)
        self._quality = quality
        self._image_input = image_input
        self._ct_inputs = ct_inputs

    @classmethod
    def of(cls, models: Models, pseudonym_key: bytes) -> Self:
        """Raise :class:`~cds.errors.ModelError` where a bundle does not load."""
        deidentifier = Deidentifier(pseudonym_key, TokenClassifier(models.identifiers))
        ct_inputs = {bundle.role: bundle.input for bundle in models.ct}
        return cls(deidentifier, QualityGate.from_bundle(models.quality), models.image.input, ct_inputs)

    def warm_up(self) -> None:
        """Take identifiers out of one sentence, so that the first note does not pay for lazy initialisation."""
        self._deidentifier.deidentify("warm up", KnownIdentifiers())

    def film(self, data: bytes) -> Film:
        """A DICOM file as the image model reads it; raises :class:`~cds.errors.ImagingError`."""
        return read_film(data, self._image_input, self._quality)

    def ct(self, data: bytes, role: str) -> CtInstance:
        """The slices in a file of such a CT as the bundle of that role reads; raises as :meth:`film` does."""
        return read_instance(data, contrast_agent=self._ct_inputs[role].get("contrast_agent"))

    def ct_picture(self, hounsfield: Hounsfield, role: str) -> Picture:
        """A slice as that bundle asks for it."""
        return pictured(hounsfield, self._ct_inputs[role])

    def notes(self, documents: Sequence[Document], known: KnownIdentifiers) -> NotesRead:
        """Those that can be read and de-identified in time; raises :class:`NoteError` where none can."""
        readable = list(_readable(documents))
        if not readable:
            raise NoteError("none of the notes could be read")
        read = self._deidentified(readable, known)
        if not read:
            raise NoteError("none of the notes could be de-identified in time")
        seen, sources = zip(*read, strict=True)
        text = prepare([source.deidentified.text for source in sources])
        return NotesRead(text, seen, sources, withheld=len(readable) - len(read))

    def _deidentified(
        self, readable: Sequence[_Readable], known: KnownIdentifiers
    ) -> list[tuple[NoteSeen, Source]]:
        """Those that do not take too long; what such a note has in common with older ones is read there."""
        left = list(readable)
        for _ in range(MOST_WITHHELD + 1):
            done = list(self._until_one_takes_too_long(left, known))
            if len(done) == len(left):
                return done
            del left[len(done)]
        raise NoteError("too many of the notes could not be de-identified in time")

    def _until_one_takes_too_long(
        self, readable: Sequence[_Readable], known: KnownIdentifiers
    ) -> Iterator[tuple[NoteSeen, Source]]:
        written = worth_reading([note.text for note in readable], _addenda(readable))
        for note, read in zip(readable, written, strict=True):
            try:
                deidentified = self._once_deidentified(read, known)
            except NoteError:
                return
            yield note.seen, Source(note.seen.digest, note.text, read, deidentified)

    def account(self, context: PatientContext, note: str, nobody: KnownIdentifiers) -> NotesRead:
        """What a caller without FHIR tells of a patient; raises :class:`NoteError`."""

        def deidentify(text: str) -> Deidentified:
            return self._deidentifier.deidentify(text, nobody)

        [read] = worth_reading([note])
        source = Source("", note, read, deidentify(read))
        known = context.deidentified(lambda words: deidentify(words).text).text()
        return NotesRead(prepare([source.deidentified.text], known), (), (source,))

    def evidence(self, read: NotesRead, score: PartScore) -> tuple[Evidence, ...]:
        """What in the notes carried ``score``, and what names a finding that is not there."""
        return placed(evidence(read.text, score), read.sources)


def _readable(documents: Iterable[Document]) -> Iterator[_Readable]:
    """The documents that can be read, with their words; the card says how many could not."""
    for document in documents:
        with suppress(NoteError):
            text = extract(document.content, document.content_type, conclusion=document.conclusion)
            yield _Readable(_seen(document), text, document.appends)


def _addenda(notes: Sequence[_Readable]) -> dict[int, list[int]]:
    """Of each note, by its number, the numbers of those that were written beneath it."""
    return {
        number: [other for other, addendum in enumerate(notes) if note.seen.reference in addendum.appends]
        for number, note in enumerate(notes)
    }


def _seen(document: Document) -> NoteSeen:
    digest = hashlib.sha256(document.content).hexdigest()
    return NoteSeen(document.reference, document.title, document.written, digest)


def on_cores(reading: Reading) -> dict[str, Operation]:
    """The operations that need no model of findings; any number of processes may do them."""
    return {
        "read film": reading.film,
        "read CT": reading.ct,
        "read slice": read_slice,
        "picture slice": reading.ct_picture,
        "read notes": reading.notes,
        "read account": reading.account,
        "find evidence": reading.evidence,
    }


def here(models: Models, reading: Reading, engine: LocalEngine, ct: Iterable[SliceReader] = ()) -> Engine:
    """All of it in this process: for tools and tests."""
    plain, timed = on_cores(reading), by_models(engine, ct)

    def ask(operation: str, deadline: Deadline, /, *arguments: Any) -> Any:
        if operation in plain:
            return plain[operation](*arguments)
        return timed[operation](*arguments, deadline=deadline)

    return Engine(models, ask)
