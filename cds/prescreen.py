"""The use case: look at a patient's latest imaging and notes, and say what is in them by a deadline.

The hook, the app and background work all come through here. Nothing in this file knows of Flask, of CDS Hooks or
of HTML. The story of a request is :meth:`Prescreening.__call__`; read on from there.
"""

from __future__ import annotations

import hashlib
import logging
import traceback
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from cds.ct import CtReader, CtReaders, nowhere
from cds.deadline import Deadline
from cds.ehr import imaging_studies
from cds.ehr.chart import Chart
from cds.ehr.documents import Document
from cds.ehr.imaging_studies import Selection
from cds.engine.bundles import Bundle
from cds.errors import NoteError, SightlineError
from cds.findings import (
    Finding,
    ImageReading,
    Missing,
    ModelVersion,
    NoteReading,
    NoteSeen,
    Part,
    PartScore,
    Prescreen,
    StudySeen,
)
from cds.fusion.alone import with_alone
from cds.fusion.late import LateFusion
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.framing import OVERSAMPLING, framed
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.imaging.retrieval import retrieve
from cds.imaging.selection import choose
from cds.notes.deidentification import Deidentifier, KnownIdentifiers
from cds.notes.evidence import Source, evidence, placed
from cds.notes.extraction import extract
from cds.notes.reading import prepare, worth_reading
from cds.reporting.record import Record
from cds.stopwatch import Stopwatch
from cds.store.once import Once

WITH_EVIDENCE = 2
"""Readings of notes that were kept before they had their evidence are made anew."""
_PRESCREENS = uuid.UUID("b2f0a1de-6c1c-5c64-9d6e-6f0c0a3f7d11")

Reading = TypeVar("Reading")

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Where the models run (:mod:`cds.engine`)."""

    image_bundle: Bundle
    note_bundle: Bundle

    def score_image(self, pixels: NDArray[np.float32], /) -> PartScore: ...

    def score_note(self, text: str, /) -> PartScore: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom we look at, on whose behalf."""

    tenant: str
    fhir_server: str
    patient_id: str
    pacs: Callable[[str], DICOMweb]
    """Opens the registered PACS at an address; raises :class:`~cds.errors.NotAllowed` for any other."""
    ct_of: frozenset[str] = frozenset()
    """The parts of the body that a CT is ordered of: a CT on record is looked at, where a bundle reads such."""

    @property
    def patient(self) -> str:
        return f"Patient/{self.patient_id}"


class NothingThere(SightlineError):
    """There is no image, or no note, to look at: nobody's fault."""


class Prescreening:
    """Everything that a prescreen needs, and the prescreen itself.

    ``images`` and ``notes`` run the two parts side by side; neither may be what the chart's requests run in. Only
    under ``cores``, which lets in as many as there are, is anything computed: more at once would delay them all.
    """

    def __init__(
        self,
        engine: Engine,
        fusion: LateFusion,
        deidentifier: Deidentifier,
        record: Record,
        *,
        once: Once,
        images: Executor,
        notes: Executor,
        cores: AbstractContextManager[Any],
        ct: CtReaders | None = None,
    ) -> None:
        self._engine = engine
        self._ct = ct or CtReaders()
        self._fusion = fusion
        self._deidentifier = deidentifier
        self._record = record
        self._once = once
        self._images = images
        self._notes = notes
        self._cores = cores

    @property
    def bundles(self) -> list[Bundle]:
        """Of all models that look at something."""
        return [self._engine.image_bundle, self._engine.note_bundle, *self._ct.bundles]

    def __call__(self, subject: Subject, chart: Chart, deadline: Deadline) -> Prescreen:
        """Score image and notes side by side, and fuse; the same inputs and models give the same prescreen.

        A part that cannot be had is named as missing, and one that is not ready by ``deadline`` as late: what is
        then under way goes on and is kept.
        """
        watch = Stopwatch()
        image_due = self._images.submit(watch.timed("image", self._read_image), subject, chart, deadline, watch)
        notes_due = self._notes.submit(watch.timed("notes", self._read_notes), subject, chart, deadline, watch)
        image = _by(deadline, image_due, "image")
        notes = _by(deadline, notes_due, "note")
        if isinstance(image, Missing) and (asked := self._ct.asked_for(subject.ct_of)):
            image = replace(image, region=asked[0].region)
        made = self._made(subject, image, notes)
        # The step of a late part may have ended by now; the answer is made without it.
        late = {"notes" if missing.part == "note" else "image" for missing in made.missing if missing.late}
        timings = {step: ms for step, ms in watch.milliseconds.copy().items() if step not in late}
        return replace(made, timings=timings)

    # The image: choose a study, fetch one frontal image, decode, score.

    def _read_image(self, subject: Subject, chart: Chart, deadline: Deadline, watch: Stopwatch) -> ImageReading:
        _still_awaited(deadline)
        ct = self._ct_for(subject, chart)
        bundle = ct.bundle if ct else self._engine.image_bundle
        self._check_standing(subject, bundle)
        # All studies, not the chosen one: what was passed over is part of the reading.
        key = _digest(subject.fhir_server, chart.studies(), bundle.version.digest)
        kept = partial(self._record.image_reading, subject.tenant, key)
        if reading := kept():
            return reading
        selection = ct.select(chart) if ct else imaging_studies.select(chart.studies(), chart.endpoints())

        def answer() -> ImageReading:
            score = partial(self._score_ct, ct) if ct else self._score_image
            reading = score(subject, selection, watch)
            return self._record.keep_image_reading(subject.tenant, key, reading)

        return self._once(f"image:{subject.tenant}:{key}", kept, answer)

    def _score_image(self, subject: Subject, selection: Selection, watch: Stopwatch) -> ImageReading:
        if not selection.candidates:
            raise NothingThere("there is no chest radiograph on record")
        study = selection.candidates[0]
        size = self._engine.image_bundle.input["height"]

        def decode(file: bytes) -> Radiograph:
            with self._cores, watch("decode image"):
                return read_radiograph(file, at_least=OVERSAMPLING * size)

        with watch("find image"):
            pacs = subject.pacs(study.root)
            choice = choose(pacs.instances(study.study_uid))
        with watch("fetch and decode image"):
            film = retrieve(pacs, study.study_uid, choice.series_uid, choice.instance_uid, decode)
        with self._cores, watch("score image"):
            score = self._engine.score_image(framed(film.pixels, self._engine.image_bundle.input))
        seen = StudySeen(
            study_uid=study.study_uid,
            series_uid=choice.series_uid,
            instance_uid=choice.instance_uid,
            modality=choice.modality,
            view=choice.view,
            started=study.started,
            reference=study.reference,
            root=study.root,
            passed_over=(*choice.passed_over, *selection.passed_over),
            burned_in=bool(film.burned_in),
        )
        return ImageReading(seen, score)

    def _ct_for(self, subject: Subject, chart: Chart) -> CtReader | None:
        """Who looks at a CT for this subject; nobody, where none on record is of what is ordered and read."""
        asked = self._ct.asked_for(subject.ct_of)
        return next((ct for ct in asked if ct.finds_one_in(chart.studies())), None)

    def _score_ct(self, ct: CtReader, subject: Subject, selection: Selection, watch: Stopwatch) -> ImageReading:
        if not selection.candidates:
            raise nowhere(selection)
        return ct.read(subject.pacs(selection.candidates[0].root), selection, watch)

    # The notes: read, de-identify, score. No model sees a name.

    def _read_notes(self, subject: Subject, chart: Chart, deadline: Deadline, watch: Stopwatch) -> NoteReading:
        _still_awaited(deadline)
        self._check_standing(subject, self._engine.note_bundle)
        references = chart.documents()
        if not references:
            raise NothingThere("there are no recent notes on record")
        lacking = tuple(chart.lacking())
        models = (self._deidentifier.classifier_digest, self._engine.note_bundle.version.digest)
        key = _digest(subject.fhir_server, references, lacking, models, WITH_EVIDENCE)
        kept = partial(self._record.note_reading, subject.tenant, key)
        if reading := kept():
            return reading
        with watch("fetch notes"):
            contents = chart.contents()
            known = _known(subject, chart)

        def answer() -> NoteReading:
            reading = replace(self._score_notes(contents, known, watch), lacking=lacking)
            return self._record.keep_note_reading(subject.tenant, key, reading)

        return self._once(f"note:{subject.tenant}:{key}", kept, answer)

    def _score_notes(
        self, contents: Sequence[Document | SightlineError], known: KnownIdentifiers, watch: Stopwatch
    ) -> NoteReading:
        with self._cores, watch("de-identify"):
            readable = list(_readable(contents))
            if not readable:
                raise NoteError("none of the notes could be read")
            seen = tuple(_seen(document) for document, _ in readable)
            written = [text for _, text in readable]
            sources = [
                Source(note.digest, text, read, self._deidentifier.deidentify(read, known))
                for note, text, read in zip(seen, written, worth_reading(written), strict=True)
            ]
        with self._cores, watch("score notes"):
            text = prepare([source.deidentified.text for source in sources])
            score = self._engine.score_note(text)
            shown = placed(evidence(text, score), sources)
        return NoteReading(seen, score, unread=len(contents) - len(readable), evidence=shown)

    # Both together.

    def _check_standing(self, subject: Subject, bundle: Bundle) -> None:
        """A model that was withdrawn looks at nothing, and what it said before is not used again."""
        self._record.stands.check(subject.tenant, bundle.version, self._fusion.version)

    def _made(self, subject: Subject, image: ImageReading | Missing, notes: NoteReading | Missing) -> Prescreen:
        image_score = image.score if isinstance(image, ImageReading) else None
        note_score = notes.score if isinstance(notes, NoteReading) else None
        findings: tuple[Finding, ...] = self._fusion.fuse(image_score, note_score)
        if isinstance(image, ImageReading):
            findings = self._with_the_images_own(findings, image)
        key = _digest(subject.fhir_server, subject.patient, image, notes, self._fusion.version.digest)
        return Prescreen(
            id=str(uuid.uuid5(_PRESCREENS, f"{subject.tenant}/{key}")),
            key=key,
            tenant=subject.tenant,
            patient=subject.patient,
            fhir_server=subject.fhir_server,
            findings=findings,
            models=_models(image_score, note_score, self._fusion.version),
            study=image.study if isinstance(image, ImageReading) else None,
            notes=notes.notes if isinstance(notes, NoteReading) else (),
            evidence=notes.evidence if isinstance(notes, NoteReading) else (),
            missing=tuple(_missing(image, notes)),
            issued=datetime.now(UTC),
        )

    def _with_the_images_own(self, findings: tuple[Finding, ...], image: ImageReading) -> tuple[Finding, ...]:
        """What only the image was scored for beside them, and of a CT the key slices."""
        thresholds = next(bundle.thresholds for bundle in self.bundles if bundle.version == image.score.model)
        return tuple(
            replace(finding, key_slice=image.key_slices.get(finding.key))
            for finding in with_alone(findings, image.score, thresholds)
        )


def _still_awaited(deadline: Deadline) -> None:
    """Work whose turn comes after its answer is not begun: it would only delay the next."""
    if deadline.passed:
        raise NotInTime


def _by(deadline: Deadline, due: Future[Reading], part: Part) -> Reading | Missing:
    """What came of a part by the deadline; whatever goes wrong in one part never costs the other."""
    try:
        return due.result(timeout=deadline.remaining)
    except NotInTime:
        return _late(part)
    except NothingThere as nothing:
        return Missing(part, f"{nothing}.", fault=False)
    except SightlineError as failure:
        # What broke off because the time was over is late, whatever it says itself.
        if deadline.passed:
            return _late(part)
        _log.warning("the %s could not be had: %s", part, failure)
        return Missing(part, f"the {part} could not be had: {failure}.")
    except Exception as defect:
        # Its message may quote the patient's data: the log gets its kind and place alone.
        place = traceback.extract_tb(defect.__traceback__)[-1]
        _log.error("the %s failed: %s at %s:%s", part, type(defect).__name__, place.name, place.lineno)
        return Missing(part, f"the {part} could not be scored; this is a fault of ours and has been logged.")


def _late(part: Part) -> Missing:
    return Missing(part, f"the {part} was not scored in time; it will be there when you look again.", late=True)


def _missing(image: ImageReading | Missing, notes: NoteReading | Missing) -> list[Missing]:
    missing = [part for part in (image, notes) if isinstance(part, Missing)]
    if isinstance(notes, NoteReading) and notes.unread:
        missing.append(Missing("note", f"{notes.unread} of the notes could not be read."))
    if isinstance(notes, NoteReading):
        missing += [Missing("note", f"{lacking}.") for lacking in notes.lacking]
    if isinstance(image, ImageReading):
        missing += [Missing("image", f"{lacking}.", fault=False) for lacking in image.lacking]
    return missing


def _models(image: PartScore | None, note: PartScore | None, fusion: ModelVersion) -> tuple[ModelVersion, ...]:
    parts = [score.model for score in (image, note) if score]
    return (*parts, fusion) if len(parts) == 2 else tuple(parts)


def _known(subject: Subject, chart: Chart) -> KnownIdentifiers:
    """Every name, number and address that the chart itself tells us must not stay in a note."""
    by_type = defaultdict(list)
    for person in chart.people():
        by_type[person.get("resourceType")].append(person)
    return KnownIdentifiers.from_fhir(
        chart.patient(),
        by_type["Practitioner"],
        by_type["RelatedPerson"],
        by_type["Organization"],
        subject=f"{subject.fhir_server}/{subject.patient}",
    )


def _readable(contents: Iterable[Document | SightlineError]) -> Iterator[tuple[Document, str]]:
    """The documents that can be had and read, with their words; the card says how many could not."""
    for document in contents:
        if isinstance(document, Document):
            with suppress(NoteError):
                text = extract(document.content, document.content_type, conclusion=document.conclusion)
                yield document, text


def _seen(document: Document) -> NoteSeen:
    digest = hashlib.sha256(document.content).hexdigest()
    return NoteSeen(document.reference, document.title, document.written, digest)


def _digest(*parts: Any) -> str:
    """One key of many inputs: the same inputs, the same key."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
