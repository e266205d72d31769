"""One patient's chart: everything that a prescreen reads, asked for at once.

The patient, the imaging studies and each kind of note are requested when the chart is opened, unless the CDS
Hooks call brought them along. Each is waited for where it is needed, and raises its own
:class:`~cds.errors.UpstreamError` there: what one piece lacks does not cost another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TypeVar

from cds.deadline import Deadline
from cds.ehr import documents as document_references
from cds.ehr import imaging_studies
from cds.ehr.compartment import Found, PatientCompartment
from cds.ehr.datatypes import Resource, reference, references, string
from cds.ehr.directory import Directory
from cds.ehr.documents import Document
from cds.ehr.fhir_client import FhirClient, Params
from cds.ehr.note_kinds import DOCUMENTS, NOTE_KINDS, REPORTS, NoteKind, kind_of, standing
from cds.ehr.prefetch import PAGE, Prefetched
from cds.errors import BadAnswer, Missing, NoteError, Refused, Unreachable, UpstreamError

MAX_ENDPOINTS = 4
MAX_PEOPLE = 12
PEOPLE = frozenset({"Practitioner", "PractitionerRole", "Organization", "RelatedPerson"})

_NOT_OFFERED = frozenset({400, 405, 406, 422, 501})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

A = TypeVar("A")
B = TypeVar("B")


class Chart:
    """The chart of ``Patient/{patient_id}``.

    ``executor`` runs the requests; whoever waits for a piece must not be running in it. ``prefetched`` holds what
    the EHR sent by itself; ``directory`` is shared by the charts of a process. Notes are looked for in the last
    ``lookback_days``: ``max_documents`` of them at most, and as many radiology reports.
    """

    def __init__(
        self,
        client: FhirClient,
        patient_id: str,
        executor: Executor,
        *,
        prefetched: Prefetched | None = None,
        directory: Directory | None = None,
        lookback_days: int = 365,
        max_documents: int = 5,
        today: date | None = None,
    ) -> None:
        self._client = client
        self._compartment = PatientCompartment(client, patient_id)
        self._executor = executor
        self._prefetched = prefetched or Prefetched()
        self._directory = directory or Directory()
        self._since = (today or datetime.now(UTC).date()) - timedelta(days=lookback_days)
        self._max_documents = max_documents
        self._patient = self._begin("patient", self._ask_patient)
        self._studies = self._begin("studies", self._ask_studies)
        self._notes = [(kind, self._begin(kind.prefetch, partial(self._ask_notes, kind))) for kind in NOTE_KINDS]

    def patient(self) -> Resource:
        """The Patient; :class:`~cds.errors.Missing` where the EHR knows of none."""
        return self._patient.result()

    def patient_by(self, deadline: Deadline) -> Resource | None:
        """:meth:`patient`; ``None`` where it has not come by the deadline."""
        try:
            return self._patient.result() if deadline.wait_for(self._patient) else None
        except Unreachable:
            if deadline.passed:
                return None
            raise

    def studies(self) -> list[Resource]:
        """The patient's ImagingStudy resources, newest first."""
        return self._studies.result().matches

    @property
    def studies_have_come(self) -> bool:
        """Whether nobody has to wait for :meth:`studies`."""
        return self._studies.done()

    @property
    def notes_have_come(self) -> bool:
        """Whether nobody has to wait for :meth:`documents`."""
        return all(piece.done() for _, piece in self._notes)

    def studies_at_hand(self) -> list[Resource]:
        """:meth:`studies`, where they have come by now: at the deadline nobody can wait for them."""
        come = self.studies_have_come and self._studies.exception() is None
        return self._studies.result().matches if come else []

    def endpoints(self) -> list[Resource]:
        """The Endpoints that the studies name: those included with them, the others read one by one."""
        found = self._studies.result()
        named = [name for study in found.matches for name in imaging_studies.endpoint_references(study)]
        wanted = self._client.lacking(named, {"Endpoint"}, found.included)[:MAX_ENDPOINTS]
        answers = self._instances(wanted)
        failures = [answer for answer in answers if isinstance(answer, UpstreamError)]
        if failures and len(failures) == len(answers) and not found.included:
            raise failures[0]
        return found.included + [answer for answer in answers if isinstance(answer, dict)]

    def documents(self) -> list[Resource]:
        """The current notes and radiology reports within the look-back, of every kind, newest first.

        What an algorithm wrote is not among them. Where there are none, the failure to get any is raised.
        """
        found = [note for _, piece in self._notes for note in _settled(piece).matches]
        if not found:
            for _, failure in self._note_failures():
                raise failure
        return _newest_first(self._few(found), lambda note: kind_of(note).dated(note))

    def lacking(self) -> list[str]:
        """What of the notes :meth:`documents` does without because the EHR failed, each in a sentence.

        A kind that the EHR does not offer, or not to us, is no failure: most know nothing of Composition.
        """
        return [f"the {kind.name} could not be had: {failure}" for kind, failure in self._note_failures()]

    def contents(self) -> list[Document | NoteError | UpstreamError]:
        """What each of :meth:`documents` holds, or why it could not be had, in the same order."""
        return self._all(lambda document: document_references.read(self._client, document), self.documents())

    def people(self) -> list[Resource]:
        """Who may be named in the notes: clinicians, organizations and relatives that the chart refers to.

        For de-identification, as far as they are to be had: what cannot be read is left out.
        """
        # Relatives only here: who does not read notes need not know them.
        related = self._executor.submit(self._ask_related)
        chart = [_settled(self._studies), *(_settled(piece) for _, piece in self._notes), _settled(related)]
        held = [resource for found in chart for resource in (*found.matches, *found.included)]
        known = [resource for resource in held if _type(resource) in PEOPLE]
        named = [name for resource in held for name in _people_named_by(resource)]
        if self._patient.exception() is None:
            named += _people_named_by(self._patient.result())
        wanted = self._client.lacking(named, PEOPLE, known)[: max(0, MAX_PEOPLE - len(known))]
        return known + [answer for answer in self._instances(wanted) if isinstance(answer, dict)]

    def _begin(self, key: str, ask: Callable[[], A]) -> Future[A]:
        """What is at hand is taken at once: only a request to the EHR is worth a thread."""
        if not self._prefetched.is_whole(key):
            return self._executor.submit(ask)
        piece: Future[A] = Future()
        try:
            piece.set_result(ask())
        except Exception as failure:
            piece.set_exception(failure)
        return piece

    def _ask_patient(self) -> Resource:
        if self._prefetched.is_empty("patient"):
            raise Missing("the EHR knows of no such patient")
        patient_id = self._compartment.patient_id
        return self._prefetched.resource("patient", "Patient", patient_id) or self._compartment.patient()

    def _ask_studies(self) -> Found:
        found = self._ask("studies", "ImagingStudy", {"_sort": "-started"}, ["ImagingStudy:endpoint"])
        return Found(_newest_first(found.matches, imaging_studies.started), found.included)

    def _ask_notes(self, kind: NoteKind) -> Found:
        params = {**kind.params, "date": f"ge{self._since.isoformat()}", "_sort": "-date"}
        found = self._ask(kind.prefetch, kind.type, params)
        current = standing([note for note in found.matches if kind.counts(note, self._since)])
        return Found(_newest_first(current, kind.dated)[: self._max_documents], found.included)

    def _few(self, notes: list[Resource]) -> list[Resource]:
        """The newest reports, and the newest of all others: neither keeps the other out."""
        newest = _newest_first(notes, lambda note: kind_of(note).dated(note))
        reports = [note for note in newest if kind_of(note) is REPORTS]
        others = [note for note in newest if kind_of(note) is not REPORTS]
        return reports[: self._max_documents] + others[: self._max_documents]

    def _note_failures(self) -> Iterator[tuple[NoteKind, UpstreamError]]:
        """What went wrong in asking for each kind of note."""
        for kind, piece in self._notes:
            try:
                piece.result()
            except UpstreamError as failure:
                if kind is DOCUMENTS or not _not_offered(failure):
                    yield kind, failure

    def _ask_related(self) -> Found:
        return self._ask("related", "RelatedPerson", {})

    def _ask(self, key: str, type_: str, params: Params, includes: list[str] | None = None) -> Found:
        supplied = self._prefetched.searchset(key, type_)
        if supplied is not None:
            return self._compartment.found(self._client.pages(supplied, type_, PAGE), type_)
        return self._compartment.search(type_, {**params, "_count": str(PAGE)}, includes or [], PAGE)

    def _instances(self, wanted: Iterable[tuple[str, str]]) -> list[Resource | NoteError | UpstreamError]:
        """The resource of each type and id, in no order; a failure takes the place of its resource."""
        found = {instance: self._directory.at_hand(self._client, *instance) for instance in wanted}
        unknown = [instance for instance, resource in found.items() if resource is None]
        return [*filter(None, found.values()), *self._all(self._read, unknown)]

    def _read(self, instance: tuple[str, str]) -> Resource:
        return self._directory.read(self._client, *instance)

    def _all(self, read: Callable[[A], B], wanted: Iterable[A]) -> list[B | NoteError | UpstreamError]:
        """``read`` of each, concurrently; a failure takes the place of its answer."""
        futures = [self._executor.submit(read, item) for item in wanted]
        answers: list[B | NoteError | UpstreamError] = []
        for future in futures:
            try:
                answers.append(future.result())
            except (NoteError, UpstreamError) as failure:
                answers.append(failure)
        return answers


def _settled(piece: Future[Found]) -> Found:
    try:
        return piece.result()
    except UpstreamError:
        return Found([], [])


def _newest_first(resources: list[Resource], when: Callable[[Resource], datetime | None]) -> list[Resource]:
    return sorted(resources, key=lambda resource: when(resource) or _LONG_AGO, reverse=True)


def _not_offered(failure: UpstreamError) -> bool:
    """Whether the EHR knows no such type or search, or gives none of it to us."""
    unknown = isinstance(failure, BadAnswer) and failure.status in _NOT_OFFERED
    return unknown or isinstance(failure, Missing | Refused)


def _type(resource: Resource) -> str:
    return string(resource, "resourceType")


def _people_named_by(resource: Resource) -> list[str]:
    """Every reference of a Patient, ImagingStudy or note to who is or was at work."""
    several = ("generalPractitioner", "author", "interpreter", "performer", "resultsInterpreter")
    one = ("managingOrganization", "authenticator", "custodian", "referrer")
    named = [name for field in several for name in references(resource, field)]
    return named + [name for field in one if (name := reference(resource, field))]
