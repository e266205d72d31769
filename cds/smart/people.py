"""Who a patient is, as the EHR tells the user who is signed in."""

from __future__ import annotations

from datetime import date

from cds.audit import balp
from cds.audit.balp import Event
from cds.ehr.datatypes import string
from cds.errors import Refused, UpstreamError
from cds.registration import Registration
from cds.smart import audit
from cds.smart.patient import PatientBanner
from cds.smart.refusals import SessionExpired
from cds.smart.scopes import may_read, may_read_of_anyone
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.signed_in import SignedIn

MOST_NAMES = 100
"""Of a list, so that it takes one request."""


class People:
    """Reads patients with the user's own token: what the user may not see is not shown."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def banner(
        self, session: Session, registration: Registration, patient: str
    ) -> tuple[PatientBanner | None, list[Event]]:
        """Of ``Patient/{id}``, and what is to be told; None where the EHR does not let us, or does not answer."""
        if not may_read(session.scope, "Patient"):
            return None, []
        try:
            found = self._signed_in.fhir(session, registration).read("Patient", patient.partition("/")[2])
        except Refused as refused:
            if refused.status == 401:
                raise SessionExpired("the EHR no longer takes the access token") from None
            return None, []
        except UpstreamError:
            return None, []
        exchange = audit.with_ehr(self._services, registration, session)
        read = balp.patient_read(exchange, patient, patient)
        return PatientBanner.from_fhir(found, date.today()), [read]

    def names(self, session: Session, registration: Registration, patients: set[str]) -> dict[str, str]:
        """Name and record number by ``Patient/{id}``, of those whom the user may see beyond the one in context."""
        if not patients or not may_read_of_anyone(session.scope, "Patient"):
            return {}
        ids = sorted(patient.partition("/")[2] for patient in patients)[:MOST_NAMES]
        try:
            found = self._signed_in.fhir(session, registration).search("Patient", {"_id": ",".join(ids)}, len(ids))
        except UpstreamError:
            return {}
        exchange = audit.with_ehr(self._services, registration, session)
        people = {f"Patient/{string(one, 'id')}": PatientBanner.from_fhir(one, date.today()) for one in found}
        read = [balp.patient_query(exchange, patient, "GET Patient?_id") for patient in people]
        self._services.on_event(registration.tenant, *read)
        return {patient: ", ".join(filter(None, (who.name, who.mrn))) for patient, who in people.items()}
