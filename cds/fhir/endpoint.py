"""One call: who asks, the work in one transaction, and its audit in the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

from cds.audit import chain
from cds.audit.balp import Event, Exchange, Party
from cds.errors import RequestError
from cds.fhir import trail
from cds.fhir.access import Access
from cds.fhir.admission import Admission
from cds.fhir.pages import Pages
from cds.fhir.representation import check_accept, request_id
from cds.registration import Registrations
from cds.reporting.record import Record
from cds.store.database import Connection, Database

T = TypeVar("T")
Work = Callable[[Connection, Access, Exchange], tuple[T, list[Event]]]
"""What a call does: its result, and the events that tell of it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the routes share."""

    us: Party
    base: str
    admission: Admission
    registrations: Registrations
    database: Database
    record: Record
    pages: Pages

    def within(self, work: Work[T]) -> T:
        """Do ``work`` for the bearer of the token, and write its events before anything is answered."""
        check_accept()
        address = request.remote_addr or "unknown"
        access = self.admission.admit(request.headers.get("Authorization"), address)
        exchange = trail.exchange(self.us, access, address, request_id())
        try:
            with self.database.transaction(access.tenant) as connection:
                result, events = work(connection, access, exchange)
                chain.append_many(connection, access.tenant, events)
        except RequestError as refusal:
            self.record.event(access.tenant, trail.refused(exchange, asked(), refusal))
            raise
        return result


def asked() -> str:
    """The request as the audit trail keeps it; a form's parameters included."""
    below = request.full_path.removeprefix("/fhir/").rstrip("?")
    return f"{request.method} {below}" + (
        f" {urlencode(list(request.form.items(multi=True)))}" if request.form else ""
    )
