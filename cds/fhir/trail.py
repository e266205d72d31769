"""Who read what: BALP events of what is served here, written in the transaction that reads it."""

from __future__ import annotations

from collections.abc import Collection

from cds.audit import balp
from cds.audit.balp import Event, Exchange, Outcome, Party, User
from cds.errors import RequestError
from cds.fhir.access import Access


def exchange(us: Party, access: Access, address: str, request_id: str | None) -> Exchange:
    """The client asked us, from ``address``, on behalf of whoever is signed in."""
    user = User(access.issuer, access.subject) if access.by_person else None
    return Exchange(
        Party(access.client_id, address), us, us, user, token_id=access.token_id or None, transaction=request_id
    )


def read(exchange: Exchange, resource: str, patient: str | None, interaction: str) -> Event:
    """``resource`` is a reference, ``patient`` whom it is about."""
    if patient is None:
        return balp.read(exchange, resource, interaction)
    return balp.patient_read(exchange, patient, resource, interaction)


def searched(exchange: Exchange, request: str, patients: Collection[str]) -> list[Event]:
    """One event for each patient in the question or in the answer (BALP, "PatientQuery"), or one without."""
    if not patients:
        return [balp.query(exchange, request)]
    return [balp.patient_query(exchange, patient, request) for patient in sorted(patients)]


def refused(exchange: Exchange, request: str, error: RequestError) -> Event:
    """What was asked for and not given, and why."""
    return balp.failed(balp.query(exchange, request), str(error), Outcome.MINOR_FAILURE, code=error.code)
