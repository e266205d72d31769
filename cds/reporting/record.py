"""What is kept of a prescreen: readings as soon as they are made, the rest in one transaction with its audit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import chain
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from cds.audit import balp
from cds.audit.balp import Event, Exchange, Outcome, Party
from cds.audit.journal import Journal, Write
from cds.audit.trail import OnBehalf, Trail
from cds.errors import Unknown
from cds.findings import ImageReading, NoteReading, Prescreen
from cds.reporting.resources import collection, located, report_id, resources
from cds.reporting.standing import Standing
from cds.reporting.tasks import review
from cds.store import cards, outbox, prescreens, scores, withdrawn_models
from cds.store import resources as resource_store
from cds.store.database import Connection, Database
from cds.store.recent import Recent


class Told(Protocol):
    """What became of one card (:class:`cds.hooks.feedback.Feedback`)."""

    @property
    def card(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def timestamp(self) -> datetime: ...
    @property
    def body(self) -> Mapping[str, Any]: ...


class Given(Protocol):
    """A card that was given (:class:`cds.hooks.telling.Given`)."""

    @property
    def uuid(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def kept(self) -> Mapping[str, Any]: ...


class TokenRequested(Protocol):
    """That a token was asked for (:class:`cds.ehr.backend_services.TokenRequest`)."""

    @property
    def tenant(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def token_endpoint(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def succeeded(self) -> bool: ...


T = TypeVar("T")

LOOKED_THROUGH = 5
"""Prescreens of one patient, for the last that is whole."""
READINGS_AT_HAND = 4096
"""Of all tenants, in each process; every other is in the database."""

_IMAGE = TypeAdapter(ImageReading)
_NOTE = TypeAdapter(NoteReading)
_PRESCREEN = TypeAdapter(Prescreen)
_ON_BEHALF = TypeAdapter(OnBehalf)


class Record:
    """Reads and writes what has been seen and said, tenant by tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journal = Journal(database)
        self.stands = Standing(database)
        self._readings: Recent[Any] = Recent(READINGS_AT_HAND)

    def image_reading(self, tenant: str, key: str) -> ImageReading | None:
        return self._reading(tenant, key, "image", _IMAGE)

    def note_reading(self, tenant: str, key: str) -> NoteReading | None:
        return self._reading(tenant, key, "note", _NOTE)

    def image_reading_at_hand(self, tenant: str, key: str) -> ImageReading | None:
        """:meth:`image_reading`, where nobody has to wait for it."""
        return self._readings.get(tenant, key, "image")

    def note_reading_at_hand(self, tenant: str, key: str) -> NoteReading | None:
        """:meth:`note_reading`, where nobody has to wait for it."""
        return self._readings.get(tenant, key, "note")

    def keep_image_reading(self, tenant: str, key: str, reading: ImageReading) -> ImageReading:
        return self._keep(tenant, key, "image", reading)

    def keep_note_reading(self, tenant: str, key: str, reading: NoteReading) -> NoteReading:
        return self._keep(tenant, key, "note", reading)

    def by_id(self, tenant: str, id: str) -> Prescreen | None:
        """As it was answered, whether or not it :attr:`stands`."""
        with self._database.transaction(tenant) as connection:
            body = prescreens.get(connection, tenant, UUID(id))
        return _PRESCREEN.validate_python(body) if body else None

    def standing(self, tenant: str, id: str) -> Prescreen | None:
        """The prescreen, where it :attr:`stands`."""
        found = self.by_id(tenant, id)
        return found if found and self.stands(found) else None

    def latest(self, tenant: str, fhir_server: str, patient: str) -> Prescreen | None:
        """The last prescreen of ``Patient/{id}``."""
        return next(iter(self.recent(tenant, fhir_server, patient, LOOKED_THROUGH)), None)

    def recent(self, tenant: str, fhir_server: str, patient: str, limit: int) -> list[Prescreen]:
        """The last prescreens of ``Patient/{id}`` that stand, the latest first; ``limit`` are looked through.

        One with a late part is not among them: the whole one follows it.
        """
        with self._database.transaction(tenant) as connection:
            bodies = prescreens.of_patient(connection, tenant, fhir_server, patient, limit)
        return [one for one in map(_PRESCREEN.validate_python, bodies) if not one.late and self.stands(one)]

    def write(self, tenant: str, trail: Trail, *writes: Write) -> None:
        """All of it with the events of ``trail`` in one transaction, or nothing."""
        self._written(tenant, trail.taken(), writes)

    def write_last(self, tenant: str, trail: Trail, *writes: Write) -> None:
        """:meth:`write` for the last time: what happens then for the same request is written as it happens."""
        self._written(tenant, trail.closed(lambda event: self.event(tenant, event)), writes)

    def _written(self, tenant: str, taken: AbstractContextManager[list[Event]], writes: Sequence[Write]) -> None:
        with taken as events:
            if events or writes:
                self._journal.write(tenant, lambda connection: _all(events, writes, connection))

    def answered(
        self,
        tenant: str,
        service: str,
        prescreen: Prescreen,
        given: Sequence[Given],
        trail: Trail,
        *also: Write,
    ) -> None:
        """Keep the cards of an answer, for the feedback that may come, with the prescreen that they tell of.

        Nothing is to be written for it after this.
        """
        self.write_last(tenant, trail, kept(prescreen, trail), told(prescreen, service, given), *also)

    def feedback(self, tenant: str, service: str, entries: Sequence[Told], trail: Trail) -> None:
        """Keep what became of cards, each told once; what is told of a card that is not ours costs no other.

        Raises :class:`~cds.errors.Unknown` where none is.
        """
        self.write(tenant, trail, _fed_back(tenant, service, entries))

    def outcomes(
        self, tenant: str, fhir_server: str, patient: str, since: datetime
    ) -> list[tuple[str, dict[str, Any]]]:
        """What became of the patient's cards since, oldest first, each with what was kept of its card."""
        with self._database.transaction(tenant) as connection:
            return cards.outcomes_of_patient(connection, tenant, fhir_server, patient, since)

    def token_requested(self, request: TokenRequested) -> None:
        """We asked an EHR for a token of our own (ITI-71)."""
        us, server = Party(request.client_id, request.client_id), Party(request.issuer, request.token_endpoint)
        parameters = {"grant_type": "client_credentials", "scope": request.scope}
        event = balp.token_obtained(Exchange(us, server, us), parameters)
        if not request.succeeded:
            event = balp.failed(event, "the token was not given", Outcome.MINOR_FAILURE)
        self.event(request.tenant, event)

    def audit(self, tenant: str, trail: Trail) -> None:
        """Write the events gathered so far, if any."""
        self.write(tenant, trail)

    def event(self, tenant: str, *events: Mapping[str, Any]) -> None:
        """Write AuditEvents by themselves, all or none."""
        if events:
            self._journal.write(tenant, lambda connection: [dict(event) for event in events])

    def _reading(self, tenant: str, key: str, kind: str, adapter: TypeAdapter[T]) -> T | None:
        known: T | None = self._readings.get(tenant, key, kind)
        if known is not None:
            return known
        with self._database.transaction(tenant) as connection:
            body = scores.get(connection, tenant, key, kind)
        return self._readings.put(adapter.validate_python(body), tenant, key, kind) if body else None

    def _keep(self, tenant: str, key: str, kind: str, reading: T) -> T:
        with self._database.transaction(tenant) as connection:
            scores.put(connection, tenant, key, kind, reading)
        self._readings.put(reading, tenant, key, kind)
        return reading


def kept(prescreen: Prescreen, trail: Trail) -> Write:
    """The prescreen, and that models looked; nothing where the same was found before."""

    def write(connection: Connection) -> Iterable[Event]:
        is_new = prescreens.put(
            connection,
            prescreen.tenant,
            id=UUID(prescreen.id),
            key=prescreen.key,
            patient=prescreen.patient,
            fhir_server=prescreen.fhir_server,
            body=prescreen,
        )
        return inferred(is_new)

    def inferred(is_new: Callable[[], bool]) -> Iterator[Event]:
        if is_new():
            yield trail.inference(prescreen)

    return write


def reported(prescreen: Prescreen, trail: Trail) -> Write:
    """Report, observations and provenance of a prescreen that is kept; nothing where they were made before.

    Nothing either where a model of it was withdrawn since.

    They are on their way to the EHR with the same transaction.
    """

    def write(connection: Connection) -> Iterable[Event]:
        report = report_id(prescreen)
        if report is None or _is_reported(connection, prescreen, report):
            return []
        # Another process may be about to: the second waits here, and then finds it done.
        prescreens.lock(connection, prescreen.tenant, UUID(prescreen.id))
        if _is_reported(connection, prescreen, report) or _is_withdrawn(connection, prescreen):
            return []
        _write_results(connection, prescreen)
        return [trail.report_created(prescreen, report)]

    return write


def finish_due(prescreen: Prescreen, trail: Trail, *, ct_of: Collection[str], reported: bool) -> Write:
    """That the worker is to make whole what was late for its answer, and then, where so asked, its report.

    ``ct_of``: the parts of the body that a CT was ordered of.
    """

    def write(connection: Connection) -> Iterable[Event]:
        outbox.enqueue(
            connection,
            prescreen.tenant,
            kind=outbox.PRESCREEN,
            destination=prescreen.fhir_server,
            payload={
                "patient": prescreen.patient,
                "ct_of": sorted(ct_of),
                "reported": reported,
                "on_behalf": trail.on_behalf,
            },
            # The same may be late again another day; of one call it is finished once.
            idempotency_key=f"{prescreen.id}/finish/{trail.on_behalf.transaction}/{reported}",
        )
        return []

    return write


def asked_by(payload: Mapping[str, Any]) -> OnBehalf:
    """For whom :func:`finish_due` or :func:`report_due` asked."""
    return _ON_BEHALF.validate_python(payload["on_behalf"])


def report_due(prescreen: Prescreen, trail: Trail) -> Write:
    """That the prescreen, which is kept, is to be reported: by the worker, for nobody waits for a report."""

    def write(connection: Connection) -> Iterable[Event]:
        outbox.enqueue(
            connection,
            prescreen.tenant,
            kind=outbox.REPORT,
            destination=prescreen.fhir_server,
            payload={"prescreen": prescreen.id, "on_behalf": trail.on_behalf},
            idempotency_key=f"{prescreen.id}/report",
        )
        return []

    return write


def told(prescreen: Prescreen, service: str, given: Iterable[Given]) -> Write:
    """The cards that were given about a prescreen that is kept."""

    def write(connection: Connection) -> Iterable[Event]:
        for card in given:
            cards.put(
                connection,
                prescreen.tenant,
                uuid=UUID(card.uuid),
                service=service,
                topic=card.topic,
                body=card.kept,
                prescreen=UUID(prescreen.id),
            )
        return []

    return write


def _fed_back(tenant: str, service: str, entries: Sequence[Told]) -> Write:
    def write(connection: Connection) -> Iterable[Event]:
        ours = [entry for entry in entries if cards.was_given(connection, tenant, service, UUID(entry.card))]
        if entries and not ours:
            raise Unknown("no such card was given")
        for entry in ours:
            cards.feedback(
                connection,
                tenant,
                card=UUID(entry.card),
                outcome=entry.outcome,
                outcome_timestamp=entry.timestamp,
                body=entry.body,
            )
        return []

    return write


def _all(events: Iterable[Event], writes: Iterable[Write], connection: Connection) -> Iterable[Event]:
    """Everything is sent before the first answer is waited for."""
    told_by_writes = [write(connection) for write in writes]
    return chain(events, *told_by_writes)


def _is_reported(connection: Connection, prescreen: Prescreen, report: str) -> bool:
    return resource_store.get(connection, prescreen.tenant, "DiagnosticReport", report) is not None


def _is_withdrawn(connection: Connection, prescreen: Prescreen) -> bool:
    digests = [model.digest for model in prescreen.models]
    return withdrawn_models.any_of(connection, prescreen.tenant, digests)


def _write_results(connection: Connection, prescreen: Prescreen) -> None:
    written = resources(prescreen)
    task = review(prescreen)
    held = [*written, *([task] if task else [])]
    found = [located(one, held, prescreen.fhir_server) for one in held]
    # A model version's Device is the same for every patient.
    for device in (one for one in found if one["resourceType"] == "Device"):
        resource_store.put_new(connection, prescreen.tenant, device)
    resource_store.put_all_new(
        connection,
        prescreen.tenant,
        [one for one in found if one["resourceType"] != "Device"],
        patient=prescreen.patient,
        fhir_server=prescreen.fhir_server,
    )
    outbox.enqueue(
        connection,
        prescreen.tenant,
        kind=outbox.FHIR_RESULTS,
        destination=prescreen.fhir_server,
        payload=collection(written),
        idempotency_key=prescreen.id,
    )
