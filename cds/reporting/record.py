"""What is kept of a prescreen: readings as soon as they are made, results in one transaction with their audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from cds.audit import balp, chain
from cds.audit.balp import Exchange, Outcome, Party
from cds.audit.trail import Trail
from cds.findings import ImageReading, NoteReading, Prescreen
from cds.reporting.resources import collection, report_id, resources
from cds.store import cards, outbox, prescreens, scores
from cds.store import resources as resource_store
from cds.store.database import Connection, Database


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

_IMAGE = TypeAdapter(ImageReading)
_NOTE = TypeAdapter(NoteReading)
_PRESCREEN = TypeAdapter(Prescreen)


class Record:
    """Reads and writes what has been seen and said, tenant by tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def image_reading(self, tenant: str, key: str) -> ImageReading | None:
        return self._reading(tenant, key, "image", _IMAGE)

    def note_reading(self, tenant: str, key: str) -> NoteReading | None:
        return self._reading(tenant, key, "note", _NOTE)

    def keep_image_reading(self, tenant: str, key: str, reading: ImageReading) -> ImageReading:
        return self._keep(tenant, key, "image", reading)

    def keep_note_reading(self, tenant: str, key: str, reading: NoteReading) -> NoteReading:
        return self._keep(tenant, key, "note", reading)

    def prescreen(self, tenant: str, key: str) -> Prescreen | None:
        """The prescreen of the same inputs and models, if it was made before."""
        with self._database.transaction(tenant) as connection:
            body = prescreens.by_key(connection, tenant, key)
        return _PRESCREEN.validate_python(body) if body else None

    def by_id(self, tenant: str, id: str) -> Prescreen | None:
        with self._database.transaction(tenant) as connection:
            body = prescreens.get(connection, tenant, UUID(id))
        return _PRESCREEN.validate_python(body) if body else None

    def latest(self, tenant: str, fhir_server: str, patient: str) -> Prescreen | None:
        """The last prescreen of ``Patient/{id}``."""
        return next(iter(self.recent(tenant, fhir_server, patient, 1)), None)

    def recent(self, tenant: str, fhir_server: str, patient: str, limit: int) -> list[Prescreen]:
        """The last prescreens of ``Patient/{id}``, the latest first."""
        with self._database.transaction(tenant) as connection:
            bodies = prescreens.of_patient(connection, tenant, fhir_server, patient, limit)
        return [_PRESCREEN.validate_python(body) for body in bodies]

    def write(self, prescreen: Prescreen, trail: Trail) -> Prescreen:
        """Report, observations, provenance, audit and outbox in one transaction: all of it, or nothing.

        Two requests at once may make the same prescreen; the second finds it kept and writes nothing.
        """
        tenant = prescreen.tenant
        with trail.taken() as events, self._database.transaction(tenant) as connection:
            new = prescreens.put(
                connection,
                tenant,
                id=UUID(prescreen.id),
                key=prescreen.key,
                patient=prescreen.patient,
                fhir_server=prescreen.fhir_server,
                body=_json(prescreen),
            )
            if new:
                self._write_results(connection, prescreen)
                made = trail.inference(prescreen, report_id(prescreen))
                chain.append_many(connection, tenant, [*events, *made])
            else:
                chain.append_many(connection, tenant, events)
        return prescreen

    def answered(
        self, tenant: str, service: str, prescreen: Prescreen, given: Iterable[Mapping[str, Any]], trail: Trail
    ) -> None:
        """Keep the cards of an answer, for the feedback that may come, and the audit of the call."""
        with trail.taken() as events, self._database.transaction(tenant) as connection:
            for card in given:
                cards.put(
                    connection,
                    tenant,
                    uuid=UUID(card["uuid"]),
                    service=service,
                    topic=card["source"]["topic"]["code"],
                    body=_of_card(card),
                    prescreen=UUID(prescreen.id),
                )
            chain.append_many(connection, tenant, events)

    def feedback(self, tenant: str, service: str, told: Iterable[Told], trail: Trail) -> None:
        """Keep what became of cards, each told once; :class:`~cds.errors.Unknown` for a card that is not ours."""
        with trail.taken() as events, self._database.transaction(tenant) as connection:
            for entry in told:
                cards.feedback(
                    connection,
                    tenant,
                    service=service,
                    card=UUID(entry.card),
                    outcome=entry.outcome,
                    outcome_timestamp=entry.timestamp,
                    body=entry.body,
                )
            chain.append_many(connection, tenant, events)

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
        with trail.taken() as events:
            if events:
                with self._database.transaction(tenant) as connection:
                    chain.append_many(connection, tenant, events)

    def event(self, tenant: str, event: Mapping[str, Any]) -> None:
        """Write one AuditEvent by itself."""
        with self._database.transaction(tenant) as connection:
            chain.append(connection, tenant, event)

    def _write_results(self, connection: Connection, prescreen: Prescreen) -> None:
        written = resources(prescreen)
        for resource in written:
            # A model version's Device is the same for every patient.
            whose = None if resource["resourceType"] == "Device" else prescreen.patient
            if whose is None and resource_store.get(connection, prescreen.tenant, "Device", resource["id"]):
                continue
            resource_store.put(
                connection, prescreen.tenant, resource, patient=whose, fhir_server=prescreen.fhir_server
            )
        if written:
            outbox.enqueue(
                connection,
                prescreen.tenant,
                kind=outbox.FHIR_RESULTS,
                destination=prescreen.fhir_server,
                payload=collection(written),
                idempotency_key=prescreen.id,
            )

    def _reading(self, tenant: str, key: str, kind: str, adapter: TypeAdapter[T]) -> T | None:
        with self._database.transaction(tenant) as connection:
            body = scores.get(connection, tenant, key, kind)
        return adapter.validate_python(body) if body else None

    def _keep(self, tenant: str, key: str, kind: str, reading: T) -> T:
        with self._database.transaction(tenant) as connection:
            scores.put(connection, tenant, key, kind, _json(reading))
        return reading


def _of_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """What feedback refers to later. A suggestion's resource is the EHR's own order and may name the patient."""
    suggestions = [{"uuid": s["uuid"], "label": s["label"]} for s in card.get("suggestions", ())]
    return {"summary": card["summary"], "indicator": card["indicator"], "suggestions": suggestions}


def _json(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(orjson.dumps(value))
    return plain
