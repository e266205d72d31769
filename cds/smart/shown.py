"""Which prescreen a session may see: its card's, else the patient's latest; never another patient's.

What was withdrawn is not shown, and it is said that it was.
"""

from __future__ import annotations

from cds.findings import Prescreen
from cds.registration import Registration
from cds.smart.refusals import OtherPatient, PrescreenWithdrawn
from cds.smart.services import Prescreens
from cds.smart.session import Session


def shown(prescreens: Prescreens, registration: Registration, session: Session) -> Prescreen | None:
    """Raises :class:`OtherPatient` where the card that we were opened from is not about the patient in context.

    Raises :class:`PrescreenWithdrawn` where what the card says does not stand any more.
    """
    tenant = registration.tenant
    if not session.prescreen_id:
        return prescreens.latest(tenant, session.fhir_server, session.patient)
    prescreen = prescreens.by_id(tenant, session.prescreen_id)
    if prescreen and (prescreen.patient, prescreen.fhir_server) != (session.patient, session.fhir_server):
        raise OtherPatient("the card's prescreen is of another patient than the launch")
    if prescreen and not prescreens.stands(prescreen):
        raise PrescreenWithdrawn("a model of the card's prescreen was withdrawn")
    return prescreen
