"""``GET /smart/note``: a note that was scored, in its own words, with the sentences that were evidence marked.

It is read anew from the EHR with the token of whoever is signed in, and nothing of it is kept. A request names the
prescreen, and the note by its number there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from flask import render_template

from cds.audit import balp
from cds.ehr import documents
from cds.ehr.compartment import PatientCompartment
from cds.ehr.datatypes import Resource
from cds.ehr.documents import Document
from cds.ehr.note_kinds import kind_of
from cds.errors import Missing, NoteError, UpstreamError
from cds.findings import FINDINGS, Assertion, NoteSeen, Prescreen
from cds.notes.extraction import extract
from cds.notes.highlighting import Piece, highlighted
from cds.registration import Registration
from cds.reporting import words
from cds.smart import audit, lacking
from cds.smart.query import parameter
from cds.smart.refusals import NotThere
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn

ASSERTION_IN_WORDS = {
    Assertion.PRESENT: "says it is there",
    Assertion.POSSIBLE: "says it may be there",
    Assertion.NEGATED: "denies it: not counted",
    Assertion.PAST: "of the past: not counted",
    Assertion.OTHER_PERSON: "of another person: not counted",
    Assertion.ASKED: "only asks about it: not counted",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A note as it is now."""

    pieces: list[Piece]
    changed: bool
    """Whether it is another text than the one that was scored; nothing is marked then."""
    current: bool
    """Whether it still counts in the EHR."""


class NotePage:
    """For whoever the EHR lets read the note."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self) -> str:
        session, registration = self._signed_in()
        prescreen = chosen(self._services.prescreens, registration, session, parameter("prescreen"))
        note = _numbered(prescreen.notes, parameter("note"))
        shown, problem = None, "Your EHR did not grant Sightline to show you the notes."
        if may_read(session.scope, note.reference.partition("/")[0]):
            try:
                shown = self._shown(session, registration, prescreen, note)
            except (UpstreamError, NoteError) as failure:
                problem = lacking.in_words(failure)
        return render_template(
            "smart/note.html",
            prescreen=prescreen,
            note=note,
            shown=shown,
            problem=problem,
            assertions=ASSERTION_IN_WORDS,
            findings=FINDINGS,
            words=words,
        )

    def _shown(self, session: Session, registration: Registration, prescreen: Prescreen, note: NoteSeen) -> Shown:
        resource, document = self._read(session, registration, prescreen, note.reference)
        text = extract(document.content, document.content_type, conclusion=document.conclusion)
        changed = hashlib.sha256(document.content).hexdigest() != note.digest
        marked = () if changed else [e for e in prescreen.evidence if e.place and e.place.note == note.digest]
        return Shown(highlighted(text, marked), changed, kind_of(resource).counts(resource, date.min))

    def _read(
        self, session: Session, registration: Registration, prescreen: Prescreen, reference: str
    ) -> tuple[Resource, Document]:
        client = self._signed_in.fhir(session, registration)
        type_, _, id_ = reference.partition("/")
        patient = PatientCompartment(client, prescreen.patient.partition("/")[2])
        resource = next(iter(patient.found([client.read(type_, id_)], type_).matches), None)
        if resource is None:
            raise Missing("the note is another patient's by now")
        document = documents.read(client, resource)
        exchange = audit.with_ehr(self._services, registration, session)
        self._services.on_event(registration.tenant, balp.patient_read(exchange, prescreen.patient, reference))
        return resource, document


def _numbered(notes: tuple[NoteSeen, ...], number: str) -> NoteSeen:
    """A note is named by its place, from 1: what it is called, and what it holds, is in no address."""
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= len(notes)):
        raise NotThere("the prescreen is of no such note")
    return notes[int(number) - 1]
