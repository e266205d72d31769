"""``GET /smart/``: the patient's page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import render_template

from cds.audit import balp
from cds.ehr.fhir_client import FhirClient
from cds.errors import Refused, UpstreamError
from cds.findings import Finding, Prescreen
from cds.registration import Registration
from cds.reporting import words
from cds.reporting.resources import report_id
from cds.smart import audit
from cds.smart.patient import PatientBanner
from cds.smart.refusals import SessionExpired
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import shown
from cds.smart.signed_in import SignedIn


@dataclass(frozen=True, slots=True)
class Headline:
    """The worst finding, as the first thing that is read."""

    finding: Finding
    basis: str

    @classmethod
    def of(cls, prescreen: Prescreen) -> Headline | None:
        """None where no finding is above its threshold."""
        worth_saying = words.worth_saying(prescreen)
        return cls(worth_saying[0], _basis(worth_saying[0])) if worth_saying else None


class PatientPage:
    """The page of the patient in context."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self) -> str:
        session, registration = self._signed_in()
        prescreen = shown(self._services.prescreens, registration, session)
        banner = self._banner(session, registration)
        if prescreen is None:
            return render_template("smart/no_prescreen.html", banner=banner, session=session)
        self._seen(session, registration, prescreen)
        return render_template(
            "smart/patient.html",
            banner=banner,
            session=session,
            prescreen=prescreen,
            headline=Headline.of(prescreen),
            words=words,
            image_allowed=may_read(session.scope, "ImagingStudy"),
            notes_allowed=may_read(session.scope, "DocumentReference"),
        )

    def _banner(self, session: Session, registration: Registration) -> PatientBanner | None:
        """From the EHR, with the user's token; None where the EHR does not let us, or does not answer."""
        if not may_read(session.scope, "Patient"):
            return None
        services, base = self._services, session.fhir_server
        auth = self._signed_in.bearer(session, registration)
        client = FhirClient(services.http, registration, base, auth, timeout_s=services.timeout_s)
        try:
            patient = client.read("Patient", session.patient_id)
        except Refused as refused:
            if refused.status == 401:
                raise SessionExpired("the EHR no longer takes the access token") from None
            return None
        except UpstreamError:
            return None
        exchange = audit.with_ehr(services, registration, session)
        services.on_event(registration.tenant, balp.patient_read(exchange, session.patient, session.patient))
        return PatientBanner.from_fhir(patient, date.today())

    def _seen(self, session: Session, registration: Registration, prescreen: Prescreen) -> None:
        report = report_id(prescreen)
        resource = f"DiagnosticReport/{report}" if report else session.patient
        exchange = audit.with_browser(self._services, session)
        self._services.on_event(registration.tenant, balp.patient_read(exchange, session.patient, resource))


def _basis(finding: Finding) -> str:
    """What a finding rests on: ``the image (95 %) and the notes (81 %)``."""
    parts = (("the image", finding.image), ("the notes", finding.note))
    return " and ".join(f"{name} ({words.percent(p)})" for name, p in parts if p is not None)
