"""The patient's other chest radiographs, to look at beside the one that was scored.

They are asked for with the token of whoever is signed in: what the EHR does not let them see is not shown.
Each opens in the PACS that its Endpoint names, where that is registered for the EHR.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from functools import partial

from flask import render_template

from cds.audit import balp
from cds.ehr import imaging_studies
from cds.ehr.chart import MAX_ENDPOINTS
from cds.ehr.compartment import Found, PatientCompartment
from cds.ehr.datatypes import Resource
from cds.ehr.fhir_client import FhirClient
from cds.ehr.imaging_studies import StudyCandidate
from cds.ehr.prefetch import PAGE
from cds.errors import NotAllowed, UpstreamError
from cds.findings import Prescreen
from cds.registration import Registration
from cds.smart import audit, lacking
from cds.smart.query import parameter
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn


class Studies:
    """Finds the studies of a prescreen's patient."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def name(self, study: StudyCandidate) -> str:
        """By which an address of ours names a study: its own id is the EHR's, and would be in many a log."""
        key = self._services.keys.session
        return hmac.new(key, f"study {study.reference}".encode(), hashlib.sha256).hexdigest()[:32]

    def beside(
        self, session: Session, registration: Registration, prescreen: Prescreen
    ) -> tuple[StudyCandidate, ...]:
        """All but the prescreen's own, the newest first; raises a leaf of :class:`UpstreamError`.

        A study of which nobody says where it is may be in any PACS that is registered.
        """
        client = self._signed_in.fhir(session, registration)
        patient = PatientCompartment(client, prescreen.patient.partition("/")[2])
        asked = {"_sort": "-started", "_count": str(PAGE)}
        may_know = may_read(session.scope, "Endpoint")
        found = patient.search("ImagingStudy", asked, ["ImagingStudy:endpoint"] if may_know else [], PAGE)
        exchange = audit.with_ehr(self._services, registration, session)
        event = balp.patient_query(exchange, prescreen.patient, f"GET ImagingStudy?patient={prescreen.patient}")
        self._services.on_event(registration.tenant, event)
        endpoints = _endpoints(client, found) if may_know else []
        selection = imaging_studies.select(found.matches, endpoints, elsewhere=registration.pacs_roots)
        own = prescreen.study.reference if prescreen.study else ""
        return tuple(study for study in selection.candidates if study.reference != own)


class OtherStudies:
    """``GET /smart/studies``: what there is to look at beside the film of a prescreen."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, studies: Studies) -> None:
        self._services = services
        self._signed_in = signed_in
        self._studies = studies

    def __call__(self) -> str:
        session, registration = self._signed_in()
        prescreen = chosen(self._services.prescreens, registration, session, parameter("prescreen"))
        found, problem = None, "Your EHR did not grant Sightline to show you images."
        if may_read(session.scope, "ImagingStudy"):
            try:
                found = self._studies.beside(session, registration, prescreen)
            except UpstreamError as failure:
                problem = lacking.in_words(failure)
        return render_template(
            "smart/studies.html",
            prescreen=prescreen,
            studies=found,
            name=self._studies.name,
            is_registered=partial(_is_registered, registration),
            problem=problem,
        )


def _endpoints(client: FhirClient, found: Found) -> list[Resource]:
    """Those that the studies name: what came with them, and the rest as far as it can be read."""
    named = [name for study in found.matches for name in imaging_studies.endpoint_references(study)]
    read = []
    for wanted in client.lacking(named, {"Endpoint"}, found.included)[:MAX_ENDPOINTS]:
        with suppress(UpstreamError):
            read.append(client.read(*wanted))
    return found.included + read


def _is_registered(registration: Registration, study: StudyCandidate) -> bool:
    """Whether the study lies where we may ask."""
    try:
        for root in study.roots:
            registration.pacs_for(root)
    except NotAllowed:
        return False
    return True
