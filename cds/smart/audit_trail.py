"""``/smart/audit``: who saw what about whom and when, for auditors. That it was read is part of it.

What is looked for comes in a form and never in an address: a patient's id there would be in every history and log.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request
from werkzeug.datastructures import MultiDict

from cds.audit import balp
from cds.audit.search import KINDS, MOST, Line, Wanted
from cds.registration import Registration
from cds.smart import audit, rooms
from cds.smart.refusals import BadForm
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.signed_in import SignedIn

COLUMNS = ("recorded", "user", "client", "kind", "patient", "what", "outcome", "reason", "id")

_ID = re.compile(r"[A-Za-z0-9.\-]{0,64}")
_FORMULA = re.compile(r"^[=+\-@\t\r]")


class AuditTrailPage:
    """The page, the search, and the search as a file."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self) -> str:
        """The latest events."""
        session, registration = self._signed_in()
        rooms.enter(session, rooms.AUDIT)
        return self._page(session, registration, Wanted())

    def searched(self) -> str | Response:
        """What the form asks for, shown or as a file."""
        session, registration = self._signed_in.sent_a_form()
        rooms.enter(session, rooms.AUDIT)
        wanted = read(request.form)
        if (format := request.form.get("as", "")) not in FILES:
            return self._page(session, registration, wanted)
        self._told(session, registration, wanted)
        found = self._services.audit_trails.events(registration.tenant, wanted)
        mimetype, write = FILES[format]
        headers = {"Content-Disposition": f'attachment; filename="audit.{format}"'}
        return Response(write(found), mimetype=mimetype, headers=headers)

    def _page(self, session: Session, registration: Registration, wanted: Wanted) -> str:
        self._told(session, registration, wanted)
        lines, more = self._services.audit_trails.lines(registration.tenant, wanted)
        return render_template(
            "smart/audit.html",
            session=session,
            rooms=rooms.of(session),
            wanted=wanted,
            lines=lines,
            more=more,
            kinds=KINDS,
            chain=self._services.audit_trails.chain(registration.tenant),
            form_token=self._signed_in.form_token(),
            most=MOST,
        )

    def _told(self, session: Session, registration: Registration, wanted: Wanted) -> None:
        exchange = audit.with_browser(self._services, session)
        asked = {name: value for name in Wanted.__slots__ if (value := getattr(wanted, name))}
        text = f"GET AuditEvent?{urlencode(asked)}"
        patient = f"Patient/{wanted.patient}"
        event = balp.patient_query(exchange, patient, text) if wanted.patient else balp.query(exchange, text)
        self._services.on_event(registration.tenant, event)


def read(form: MultiDict[str, str]) -> Wanted:
    """Raises :class:`BadForm` for what cannot be looked for."""
    patient = form.get("patient", "").strip().rpartition("/")[2]
    user, kind = form.get("user", "").strip(), form.get("kind", "")
    if not _ID.fullmatch(patient) or len(user) > 256 or kind not in ("", *KINDS):
        raise BadForm("the audit trail cannot be searched for that")
    try:
        since, until = (
            date.fromisoformat(day) if (day := form.get(name, "")) else None for name in ("since", "until")
        )
    except ValueError:
        raise BadForm("a day is not a date") from None
    return Wanted(patient, user, since, until, kind, form.get("failed") == "on")


def _ndjson(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(event, separators=(",", ":")) + "\n" for event in found)


def _csv(found: Iterable[dict[str, Any]]) -> str:
    """No cell begins as a formula does: what a user or a client is called is not ours to choose."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(COLUMNS)
    for line in map(Line.of, found):
        values = (" ".join(line.what) if name == "what" else str(getattr(line, name)) for name in COLUMNS)
        rows.writerow([_FORMULA.sub(r"'\g<0>", value) for value in values])
    return written.getvalue()


FILES = {"ndjson": ("application/fhir+ndjson", _ndjson), "csv": ("text/csv", _csv)}
