"""The use case: look at a patient's latest imaging and notes, and say what is in them by a deadline.

The hook, the app and background work all come through here. Nothing in this file knows of Flask, of CDS Hooks or
of HTML. The story of a request is :meth:`Prescreening.__call__`; read on from there.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from cds.bulkhead import Bulkhead
from cds.ct import CtReader, CtReaders, nowhere
from cds.deadline import Deadline
from cds.ehr import imaging_studies
from cds.ehr.chart import Chart
from cds.ehr.documents import Document
from cds.ehr.imaging_studies import Selection, StudyCandidate
from cds.errors import Busy, DatabaseAway, EngineError, NoteError, NothingToScore, SightlineError
from cds.findings import (
    Finding,
    ImageReading,
    Missing,
    ModelVersion,
    NoteReading,
    Part,
    Prescreen,
    StudySeen,
)
from cds.fusion.alone import with_alone
from cds.fusion.late import LateFusion
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.film import Film
from cds.imaging.locating import Located, has_images, locate
from cds.imaging.retrieval import retrieve_best
from cds.imaging.selection import counted
from cds.inference.engine import Engine
from cds.logs import kind_and_place
from cds.notes.deidentification.known import KnownIdentifiers
from cds.reporting.record import Record
from cds.stopwatch import Stopwatch
from cds.store.once import Once
from cds.store.scores import key_of

NOTE_READING = 7
"""How notes are read, apart from the models: what was read in an older way is read anew."""
MOST_STUDIES = 3
"""So many are asked for of the PACS, the newest first, until one has something to score."""
_PRESCREENS = uuid.UUID("b2f0a1de-6c1c-5c64-9d6e-6f0c0a3f7d11")

Reading = TypeVar("Reading")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom we look at, on whose behalf."""

    tenant: str
    fhir_server: str
    patient_id: str
    pacs: Callable[[str], DICOMweb]
    """Opens the registered PACS at an address; raises :class:`~cds.errors.NotAllowed` for any other."""
    pacs_roots: tuple[str, ...] = ()
    """The PACS in which a study is looked for of which no Endpoint says where it is."""
    ct_of: frozenset[str] = frozenset()
    """The parts of the body that a CT is ordered of: a CT on record is looked at, where a bundle reads such."""

    @property
    def patient(self) -> str:
        return f"Patient/{self.patient_id}"


class NothingThere(SightlineError):
    """There is no image, or no note, to look at: nobody's fault."""


class Prescreening:
    """Everything that a prescreen needs, and the prescreen itself.

    ``secret`` keys what results are found again by. ``images`` and ``notes`` run the two parts side by side;
    neither may be what the chart's requests run in. ``places`` keeps too many from being begun at once.
    """

    def __init__(
        self,
        engine: Engine,
        fusion: LateFusion,
        record: Record,
        *,
        secret: bytes,
        once: Once,
        places: Bulkhead,
        images: Executor,
        notes: Executor,
    ) -> None:
        self._engine = engine
        self._ct = CtReaders(engine)
        self._fusion = fusion
        self._record = record
        self._secret = secret
        self._once = once
        self._places = places
        self._images = images
        self._notes = notes

    def __call__(self, subject: Subject, chart: Chart, deadline: Deadline) -> Prescreen:
        """Score image and notes side by side, and fuse; the same inputs and models give the same prescreen.

        A part that cannot be had is named as missing, and one that is not ready by ``deadline`` as late: what is
        then under way goes on and is kept.
        """
        watch = Stopwatch()
        image_due = _due(
            self._images,
            partial(watch.timed("image", self._image_at_hand), subject, chart),
            partial(watch.timed("image", self._read_image), subject, chart, deadline, watch),
        )
        notes_due = _due(
            self._notes,
            partial(watch.timed("notes", self._notes_at_hand), subject, chart),
            partial(watch.timed("notes", self._read_notes), subject, chart, deadline, watch),
        )
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

    def _image_at_hand(self, subject: Subject, chart: Chart) -> ImageReading | None:
        if not chart.studies_have_come:
            return None
        return self._record.image_reading_at_hand(subject.tenant, self._image_key(subject, chart))

    def _image_key(self, subject: Subject, chart: Chart) -> str:
        """By which the reading is found again; :class:`~cds.errors.ModelError` where its model was withdrawn."""
        ct = self._ct_for(subject, chart)
        of_films = (self._engine.models.image.version, self._engine.models.quality.version)
        models = (ct.bundle.version,) if ct else of_films
        self._check_standing(subject, *models)
        # All studies, not the chosen one: what was passed over is part of the reading.
        return self._key(subject.fhir_server, chart.studies(), [model.digest for model in models])

    def _read_image(self, subject: Subject, chart: Chart, deadline: Deadline, watch: Stopwatch) -> ImageReading:
        _still_awaited(deadline)
        key = self._image_key(subject, chart)
        kept = partial(self._record.image_reading, subject.tenant, key)
        if reading := kept():
            return reading
        ct = self._ct_for(subject, chart)
        wanted = ct.wanted if ct else imaging_studies.CHEST_RADIOGRAPH
        roots = subject.pacs_roots
        selection = imaging_studies.select(chart.studies(), chart.endpoints(), wanted, elsewhere=roots)

        def answer() -> ImageReading:
            if not selection.candidates:
                raise nowhere(selection) if ct else NothingThere("there is no chest radiograph on record")
            reading = self._score_newest(ct, subject, selection, deadline, watch)
            return self._record.keep_image_reading(subject.tenant, key, reading)

        pacs = None if ct else _known_root(selection)
        return self._in_time(f"image:{subject.tenant}:{key}", pacs, deadline, kept, answer)

    def _score_newest(
        self, ct: CtReader | None, subject: Subject, selection: Selection, deadline: Deadline, watch: Stopwatch
    ) -> ImageReading:
        """Of the newest study that has something to score: what a chart says of one may be little."""
        left, nothing = selection, list[NothingToScore]()
        while left.candidates and len(nothing) < MOST_STUDIES:
            try:
                return self._score_first(ct, subject, left, deadline, watch)
            except NothingToScore as reason:
                nothing.append(reason)
                left = left.without_the_newest(str(reason))
        raise nothing[0]

    def _score_first(
        self, ct: CtReader | None, subject: Subject, selection: Selection, deadline: Deadline, watch: Stopwatch
    ) -> ImageReading:
        modalities = (ct.wanted if ct else imaging_studies.CHEST_RADIOGRAPH).modalities
        with watch("locate image"):
            located = self._located(subject, selection.candidates[0], modalities, deadline)
        if ct:
            reading = ct.read(subject.pacs(located.root), selection, watch)
        else:
            reading = self._score_image(subject, selection, located.root, deadline, watch)
        return replace(reading, lacking=(*reading.lacking, *located.unseen))

    def _located(
        self, subject: Subject, study: StudyCandidate, modalities: Sequence[str], deadline: Deadline
    ) -> Located:
        def has_study(root: str) -> bool:
            # In places of its own: to look takes a moment, to read many.
            with self._places.place(f"{root}/studies", deadline):
                return has_images(subject.pacs(root), study.study_uid, modalities)

        return locate(study.roots, has_study)

    def _score_image(
        self, subject: Subject, selection: Selection, root: str, deadline: Deadline, watch: Stopwatch
    ) -> ImageReading:
        study = selection.candidates[0]

        def decode(file: bytes) -> Film:
            with watch("decode image"):
                return self._engine.read_film(file, deadline)

        with self._places.place(root, deadline):
            pacs = subject.pacs(root)
            with watch("find image"):
                instances = pacs.instances(study.study_uid)
            with watch("fetch and decode image"):
                choice, film = retrieve_best(pacs, study.study_uid, instances, decode)
            with watch("score image"):
                score = self._engine.score_film(film, deadline)
        other_frames = counted(["another frame of the image"] * (film.frames - 1))
        seen = StudySeen(
            study_uid=study.study_uid,
            series_uid=choice.series_uid,
            instance_uid=choice.instance_uid,
            modality=choice.modality,
            view=film.view or choice.view,
            started=study.started,
            reference=study.reference,
            root=root,
            passed_over=(*other_frames, *choice.passed_over, *selection.passed_over),
            burned_in=bool(film.burned_in),
            frame=1 if film.frames > 1 else None,
            quality=film.quality,
        )
        return ImageReading(seen, score)

    def _ct_for(self, subject: Subject, chart: Chart) -> CtReader | None:
        """Who looks at a CT for this subject; nobody, where none on record is of what is ordered and read."""
        asked = self._ct.asked_for(subject.ct_of)
        return next((ct for ct in asked if ct.finds_one_in(chart.studies())), None)

    # The notes: read, de-identify, score. No model sees a name.

    def _notes_at_hand(self, subject: Subject, chart: Chart) -> NoteReading | None:
        if not chart.notes_have_come:
            return None
        return self._record.note_reading_at_hand(subject.tenant, self._notes_key(subject, chart))

    def _notes_key(self, subject: Subject, chart: Chart) -> str:
        """As :meth:`_image_key`; :class:`NothingThere` where there are none."""
        models = (self._engine.models.identifiers.version, self._engine.models.note.version)
        self._check_standing(subject, *models)
        references = chart.documents()
        if not references:
            raise NothingThere("there are no recent notes on record")
        digests = [model.digest for model in models]
        return self._key(subject.fhir_server, references, chart.lacking(), digests, NOTE_READING)

    def _read_notes(self, subject: Subject, chart: Chart, deadline: Deadline, watch: Stopwatch) -> NoteReading:
        _still_awaited(deadline)
        key = self._notes_key(subject, chart)
        kept = partial(self._record.note_reading, subject.tenant, key)
        if reading := kept():
            return reading

        def answer() -> NoteReading:
            with watch("fetch notes"):
                contents = chart.contents()
                known = _known(subject, chart)
            scored = self._score_notes(contents, known, deadline, watch)
            reading = replace(scored, lacking=tuple(chart.lacking()))
            # A note that took too long may not the next time.
            return reading if reading.withheld else self._record.keep_note_reading(subject.tenant, key, reading)

        return self._in_time(f"note:{subject.tenant}:{key}", subject.fhir_server, deadline, kept, answer)

    def _score_notes(
        self,
        contents: Sequence[Document | SightlineError],
        known: KnownIdentifiers,
        deadline: Deadline,
        watch: Stopwatch,
    ) -> NoteReading:
        documents = [document for document in contents if isinstance(document, Document)]
        if not documents:
            raise NoteError("none of the notes could be read")
        with watch("de-identify"):
            read = self._engine.read_notes(documents, known, deadline)
        with watch("score notes"):
            score = self._engine.score_notes(read, deadline)
            shown = self._engine.evidence(read, score, deadline)
        unread = len(contents) - len(read.notes) - read.withheld
        deidentifier = self._engine.models.identifiers.version
        return NoteReading(read.notes, score, unread, read.withheld, evidence=shown, deidentifier=deidentifier)

    # Both together.

    def _in_time(
        self,
        key: str,
        server: str | None,
        deadline: Deadline,
        kept: Callable[[], Reading | None],
        answer: Callable[[], Reading],
    ) -> Reading:
        """What is kept or answered, once; :class:`~cds.errors.Busy` where a turn at ``server`` comes too late."""
        once = partial(self._once, key, kept, answer)
        if server is None or self._once.answering(key):
            return once()
        try:
            with self._places.place(server, deadline):
                return once()
        except Busy:
            if not self._once.answering(key):
                raise
            return once()

    def _key(self, *inputs: Any) -> str:
        return key_of(self._secret, *inputs)

    def _check_standing(self, subject: Subject, *models: ModelVersion) -> None:
        """A model that was withdrawn looks at nothing, and what it said before is not used again."""
        self._record.stands.check(subject.tenant, *models, self._fusion.version)

    def _made(self, subject: Subject, image: ImageReading | Missing, notes: NoteReading | Missing) -> Prescreen:
        image_score = image.score if isinstance(image, ImageReading) else None
        note_score = notes.score if isinstance(notes, NoteReading) else None
        doubts = image.study.quality if isinstance(image, ImageReading) else ()
        findings: tuple[Finding, ...] = self._fusion.fuse(image_score, note_score, doubts)
        if isinstance(image, ImageReading):
            findings = self._with_the_images_own(findings, image)
        models = tuple(_models(image, notes, self._fusion.version))
        key = self._key(subject.fhir_server, subject.patient, image, notes, self._fusion.version.digest)
        return Prescreen(
            id=str(uuid.uuid5(_PRESCREENS, f"{subject.tenant}/{key}")),
            key=key,
            tenant=subject.tenant,
            patient=subject.patient,
            fhir_server=subject.fhir_server,
            findings=findings,
            models=(self._engine.models.quality.version, *models) if doubts else models,
            study=image.study if isinstance(image, ImageReading) else None,
            notes=notes.notes if isinstance(notes, NoteReading) else (),
            evidence=notes.evidence if isinstance(notes, NoteReading) else (),
            missing=tuple(_missing(image, notes)),
            issued=datetime.now(UTC),
        )

    def _with_the_images_own(self, findings: tuple[Finding, ...], image: ImageReading) -> tuple[Finding, ...]:
        """What only the image was scored for beside them, and of a CT the key slices."""
        bundles = (self._engine.models.image, *self._engine.models.ct)
        thresholds = next(bundle.thresholds for bundle in bundles if bundle.version == image.score.model)
        return tuple(
            replace(finding, key_slice=image.key_slices.get(finding.key))
            for finding in with_alone(findings, image.score, thresholds, image.study.quality)
        )


def _known_root(selection: Selection) -> str | None:
    """The PACS of the newest study; ``None`` where it has to be looked for."""
    roots = selection.candidates[0].roots if selection.candidates else ()
    return roots[0] if len(roots) == 1 else None


def _due(
    executor: Executor, at_hand: Callable[[], Reading | None], read: Callable[[], Reading]
) -> Future[Reading]:
    """What is at hand is taken at once: only what has to be waited for is worth a thread."""
    due: Future[Reading] = Future()
    try:
        reading = at_hand()
    except Exception as failure:
        due.set_exception(failure)
        return due
    if reading is None:
        return executor.submit(read)
    due.set_result(reading)
    return due


def _still_awaited(deadline: Deadline) -> None:
    """Work whose turn comes after its answer is not begun: it would only delay the next."""
    if deadline.passed:
        raise NotInTime


def _by(deadline: Deadline, due: Future[Reading], part: Part) -> Reading | Missing:
    """What came of a part by the deadline; whatever goes wrong in one part never costs the other."""
    try:
        deadline.wait_for(due)
        return due.result(timeout=0)
    except (NotInTime, EngineError, DatabaseAway):
        # What is ours and away comes back: that is no fact about the patient's image or notes.
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
        _log.error("the %s failed: %s", part, kind_and_place(defect))
        return Missing(part, f"the {part} could not be scored; this is a fault of ours and has been logged.")


def _late(part: Part) -> Missing:
    return Missing(part, f"the {part} was not scored in time; look again in a moment.", late=True)


def _missing(image: ImageReading | Missing, notes: NoteReading | Missing) -> list[Missing]:
    missing = [part for part in (image, notes) if isinstance(part, Missing)]
    if isinstance(notes, NoteReading) and notes.unread:
        missing.append(Missing("note", f"{notes.unread} of the notes could not be read."))
    if isinstance(notes, NoteReading) and notes.withheld:
        told = f"{notes.withheld} of the notes could not be de-identified in time and went unread."
        missing.append(Missing("note", told))
    if isinstance(notes, NoteReading):
        missing += [Missing("note", f"{lacking}.") for lacking in notes.lacking]
    if isinstance(image, ImageReading):
        missing += [Missing("image", f"{lacking}.", fault=False) for lacking in image.lacking]
    return missing


def _models(
    image: ImageReading | Missing, notes: NoteReading | Missing, fusion: ModelVersion
) -> Iterator[ModelVersion]:
    """All that had a part in it: by the fusion's thresholds even a single part has its levels."""
    if isinstance(image, ImageReading):
        yield image.score.model
    if isinstance(notes, NoteReading):
        yield notes.score.model
        if notes.deidentifier:
            yield notes.deidentifier
    if isinstance(image, ImageReading) or isinstance(notes, NoteReading):
        yield fusion


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
