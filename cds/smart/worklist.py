"""``/smart/worklist``: what waits to be read, who has it, and for how long it has waited."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flask import Response, redirect, render_template, request, url_for
from werkzeug import Response as BaseResponse
from werkzeug.datastructures import MultiDict

from cds.audit import balp
from cds.audit.balp import Event
from cds.errors import PreconditionFailed, Unknown
from cds.registration import Registration, Role
from cds.reporting.worklist import OPEN, Item, State, Step, Waiting
from cds.smart import audit, rooms
from cds.smart.events import Streams
from cds.smart.people import People
from cds.smart.query import parameter
from cds.smart.refusals import BadForm, Changed, NotThere, NotYours
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import sees_others
from cds.smart.signed_in import SignedIn

SHOWN = {
    "open": ("Open", OPEN),
    "unread": ("Unread", (State.UNREAD,)),
    "mine": ("Mine", (State.CLAIMED,)),
    "done": ("Done", (State.DONE,)),
}
"""The filters."""
DONE_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items of the queue are asked for."""

    show: str
    finding: str

    @classmethod
    def read(cls) -> Wanted:
        show = parameter("show")
        return cls(show if show in SHOWN else "open", parameter("finding"))

    def of(self, items: list[Item], user: str) -> list[Item]:
        states = SHOWN[self.show][1]
        found = [item for item in items if item.state in states and self.finding in ("", item.finding)]
        return [item for item in found if item.owner == user] if self.show == "mine" else found[:DONE_SHOWN]


class WorklistPage:
    """The queue of the session's EHR."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, people: People) -> None:
        self._services = services
        self._signed_in = signed_in
        self._people = people

    def __call__(self) -> str:
        session, registration = self._signed_in()
        rooms.enter(session, rooms.WORKLIST)
        wanted, items = Wanted.read(), queue(self._services, registration, session)
        shown = wanted.of(items, session.fhir_user)
        self._seen(session, registration, shown)
        return render_template(
            "smart/worklist.html",
            session=session,
            rooms=rooms.of(session),
            items=shown,
            names=self._people.names(session, registration, {item.patient for item in shown}),
            findings=sorted({item.finding for item in items}),
            wanted=wanted,
            filters=SHOWN,
            waiting=Waiting.of(items, datetime.now(UTC)),
            now=datetime.now(UTC),
            version=version(items),
            acting=may_act(session),
            opening=sees_others(session),
            form_token=self._signed_in.form_token(),
        )

    def _seen(self, session: Session, registration: Registration, items: list[Item]) -> None:
        """One event for each patient (IHE BALP, "Query")."""
        exchange = audit.with_browser(self._services, session)
        patients = sorted({item.patient for item in items})
        seen = [balp.patient_query(exchange, patient, "GET Task?code=review-ai-result") for patient in patients]
        self._services.on_event(registration.tenant, *seen)


class WorklistEvents:
    """What the worklist listens to."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, streams: Streams) -> None:
        self._services = services
        self._signed_in = signed_in
        self._streams = streams

    def __call__(self) -> Response:
        self._version()
        return self._streams(self._version)

    def _version(self) -> str:
        session, registration = self._signed_in.looking_on()
        rooms.enter(session, rooms.WORKLIST)
        return version(queue(self._services, registration, session))


class WorklistStep:
    """``POST /smart/worklist``: claim, release or finish one item."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self) -> BaseResponse:
        session, registration = self._signed_in.sent_a_form()
        if not may_act(session):
            raise NotYours("the user is no radiologist")
        id, version, step = _asked(request.form)
        exchange = audit.with_browser(self._services, session)

        def said(patient: str, task: str) -> Event:
            return balp.patient_update(exchange, patient, task)

        try:
            self._services.worklist.move(
                registration.tenant, session.fhir_server, id, version, step, session.fhir_user, said
            )
        except PreconditionFailed as changed:
            raise Changed(str(changed)) from None
        except Unknown as unknown:
            raise NotThere(str(unknown)) from None
        show, finding = (request.form.get(name) or None for name in ("show", "finding"))
        return redirect(url_for("smart.worklist", show=show, finding=finding), 303)


def may_act(session: Session) -> bool:
    """Whether the user may take up what waits, and not only look."""
    return Role.RADIOLOGIST in session.roles and session.fhir_user.startswith("Practitioner/")


def _asked(form: MultiDict[str, str]) -> tuple[str, int, Step]:
    """Which item, in the version that was seen, and what to do with it."""
    try:
        return str(UUID(form.get("item", ""))), int(form.get("version", "")), Step(form.get("step", ""))
    except ValueError:
        raise BadForm("the form does not say what to do with which version") from None


def queue(services: SmartServices, registration: Registration, session: Session) -> list[Item]:
    """All that is open, and what was done last if that is asked for."""
    states = (*OPEN, State.DONE) if parameter("show") == "done" else OPEN
    return services.worklist.items(registration.tenant, session.fhir_server, states)


def version(items: list[Item]) -> str:
    """Changes whenever the list does."""
    return hashlib.sha256(repr([(item.id, item.version) for item in items]).encode()).hexdigest()[:16]
