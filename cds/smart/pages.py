"""``GET /smart/``: the patient's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from flask import Response, render_template

from cds.audit import balp
from cds.audit.balp import Event
from cds.findings import FINDINGS, Evidence, Finding, Judgement, Level, Opinion, Prescreen
from cds.registration import Registration
from cds.reporting import words
from cds.reporting.resources import report_id
from cds.reporting.sign_off import ReportState
from cds.smart import audit, rooms
from cds.smart.events import Streams
from cds.smart.notes import ASSERTION_IN_WORDS
from cds.smart.people import People
from cds.smart.query import parameter
from cds.smart.review_form import ReviewForm, may_judge, may_sign
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import chosen, in_context, not_scored
from cds.smart.signed_in import SignedIn

NONE = "none"
"""The version of a page without a prescreen."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The worst finding, as the first thing that is read."""

    finding: Finding
    basis: str
    judgement: Judgement | None
    """What the clinician who signed last said of it."""

    @classmethod
    def of(cls, prescreen: Prescreen, standing: ReportState | None) -> Headline | None:
        """None where no finding is above its threshold."""
        worst = next(iter(words.worth_saying(prescreen)), None)
        if worst is None:
            return None
        last = standing.reviews[-1] if standing and standing.reviews else None
        return cls(worst, _basis(worst), last.of(worst.key) if last else None)

    @property
    def refuted(self) -> bool:
        """Whether the clinician says that it is not there."""
        return self.judgement is not None and not words.is_present(self.finding, self.judgement)

    @property
    def tone(self) -> str:
        return "low" if self.refuted else self.finding.level.value


@dataclass(frozen=True, slots=True)
class Row:
    """A finding in the table, and what the clinician said of it, or has just filled in."""

    finding: Finding
    judgement: Judgement | None
    fault: str
    agreed: str
    """What agreeing means."""
    disagreed: str


class PatientPage:
    """The page of the patient in context, or of the prescreen that is asked for."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, people: People) -> None:
        self._services = services
        self._signed_in = signed_in
        self._people = people

    def __call__(self) -> str:
        session, registration = self._signed_in()
        prescreen = find(self._services, registration, session)
        if prescreen is None:
            banner, told = self._people.banner(session, registration, session.patient)
            self._services.on_event(registration.tenant, *told)
            return render_template(
                "smart/no_prescreen.html",
                banner=banner,
                session=session,
                rooms=rooms.of(session),
                not_scored=not_scored(self._services.prescreens, registration, session, None),
            )
        return self.shown(session, registration, prescreen)

    def shown(
        self, session: Session, registration: Registration, prescreen: Prescreen, form: ReviewForm | None = None
    ) -> str:
        """The page; with a ``form`` that could not be taken as it was filled in. That it is seen is told."""
        banner, told = self._people.banner(session, registration, prescreen.patient)
        self._services.on_event(registration.tenant, *told, self._seen(session, prescreen))
        standing = self._services.sign_offs.standing(prescreen)
        opinions = standing.opinions if standing else ()
        own = next((one for one in opinions if one.clinician == session.fhir_user), None)
        rows = _rows(prescreen, standing, own, form)
        return render_template(
            "smart/patient.html",
            banner=banner,
            session=session,
            rooms=rooms.of(session),
            prescreen=prescreen,
            headline=Headline.of(prescreen, standing),
            notable=[row for row in rows if row.finding.level is not Level.LOW],
            unlikely=_by_probability(row for row in rows if row.finding.level is Level.LOW),
            evidence=_evidence(prescreen),
            standing=standing,
            reviewed=bool(standing and standing.reviews),
            version=version(prescreen, standing),
            not_scored=not_scored(self._services.prescreens, registration, session, prescreen),
            judging=bool(standing and standing.signable and may_judge(session)),
            signing=bool(standing and standing.signable and may_sign(session)),
            own=own,
            others=[one for one in opinions if one is not own],
            form=form,
            form_token=self._signed_in.form_token(),
            act=uuid4(),
            words=words,
            findings=FINDINGS,
            advice=_advice(prescreen),
            image_age=_age(prescreen),
            assertions=ASSERTION_IN_WORDS,
            image_allowed=may_read(session.scope, "ImagingStudy"),
            marked=Counter(one.place.note for one in prescreen.evidence if one.place),
            notes_allowed=may_read(session.scope, "DocumentReference"),
        )

    def _seen(self, session: Session, prescreen: Prescreen) -> Event:
        report = report_id(prescreen)
        resource = f"DiagnosticReport/{report}" if report else prescreen.patient
        exchange = audit.with_browser(self._services, session)
        return balp.patient_read(exchange, prescreen.patient, resource)


class PatientEvents:
    """What the patient's page listens to."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, streams: Streams) -> None:
        self._services = services
        self._signed_in = signed_in
        self._streams = streams

    def __call__(self) -> Response:
        self._signed_in.looking_on()
        return self._streams(self._version)

    def _version(self) -> str:
        session, registration = self._signed_in.looking_on()
        prescreen = find(self._services, registration, session)
        return version(prescreen, self._services.sign_offs.standing(prescreen)) if prescreen else NONE


def find(services: SmartServices, registration: Registration, session: Session) -> Prescreen | None:
    """The prescreen that the request names, else that in context."""
    if id := parameter("prescreen"):
        return chosen(services.prescreens, registration, session, id)
    return in_context(services.prescreens, registration, session)


def version(prescreen: Prescreen, standing: ReportState | None) -> str:
    """Changes whenever the page would."""
    return f"{prescreen.id}.{standing.version}.{standing.acts}" if standing else f"{prescreen.id}.0"


def _age(prescreen: Prescreen) -> str:
    """How old the image is that it all rests on."""
    study = prescreen.study
    return words.age(study.started, datetime.now(UTC)) if study and study.started else ""


def _advice(prescreen: Prescreen) -> str:
    """What to do about what is missing."""
    if prescreen.late:
        return "wait a moment. It appears here by itself."
    if any(missing.fault for missing in prescreen.missing):
        return "look at it yourself, in your EHR or PACS. Signing an imaging order again has Sightline try again."
    return "nothing. What is here rests on the rest alone."


def _basis(finding: Finding) -> str:
    """What a finding rests on: ``the image (95 %) and the notes (81 %)``."""
    parts = (("the image", finding.image), ("the notes", finding.note))
    return " and ".join(f"{name} ({words.percent(p)})" for name, p in parts if p is not None)


def _rows(
    prescreen: Prescreen, standing: ReportState | None, own: Opinion | None, form: ReviewForm | None
) -> list[Row]:
    last = standing.reviews[-1].judgements if standing and standing.reviews else ()
    amended = own.judgements if own else ()
    said = {judgement.finding: judgement for judgement in (form.chosen if form else (*last, *amended))}
    faults = form.faults if form else {}
    return [
        Row(finding, said.get(finding.key), faults.get(finding.key, ""), *_meaning(finding))
        for finding in prescreen.findings
    ]


def _by_probability(rows: Iterable[Row]) -> list[Row]:
    """The highest first: what is unlikely is not put first for being dangerous."""
    return sorted(rows, key=lambda row: row.finding.probability, reverse=True)


def _meaning(finding: Finding) -> tuple[str, str]:
    return ("not present", "present") if finding.level is Level.LOW else ("present", "not present")


def _evidence(prescreen: Prescreen) -> list[tuple[Finding, list[Evidence]]]:
    """By finding, the worst first; of findings of low probability only what carried them."""
    found = []
    for finding in prescreen.findings:
        said = [one for one in prescreen.evidence if one.finding == finding.key]
        if said:
            found.append((finding, said))
    return found
