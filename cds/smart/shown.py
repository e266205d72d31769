"""Which prescreen a session may see: of the patient in context; for a radiologist of every patient of the EHR.

What was withdrawn is not shown, and it is said that it was.
"""

from __future__ import annotations

import re

from cds.findings import Prescreen
from cds.registration import Registration, Role
from cds.smart.refusals import NotThere, OtherPatient, PrescreenWithdrawn
from cds.smart.scopes import may_read_of_anyone
from cds.smart.services import Prescreens
from cds.smart.session import Session

LOOKED_THROUGH = 20
"""Prescreens of a patient, for the one of a study."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def in_context(prescreens: Prescreens, registration: Registration, session: Session) -> Prescreen | None:
    """That of the card that we were opened from, or of the study, else the patient's latest.

    Raises :class:`OtherPatient` where the card is not about the patient in context, and
    :class:`PrescreenWithdrawn` where what it says does not stand any more.
    """
    if not session.prescreen_id:
        latest = prescreens.latest(registration.tenant, session.fhir_server, session.patient)
        return of_study(prescreens, registration, session) or latest
    prescreen = prescreens.by_id(registration.tenant, session.prescreen_id)
    if prescreen is None:
        return None
    if (prescreen.patient, prescreen.fhir_server) != (session.patient, session.fhir_server):
        raise OtherPatient("the card's prescreen is of another patient than the launch")
    return _standing(prescreens, prescreen)


def of_study(prescreens: Prescreens, registration: Registration, session: Session) -> Prescreen | None:
    """The last one of the study that the EHR opened us on; None where it opened us on none, or on another."""
    if not session.study:
        return None
    found = prescreens.recent(registration.tenant, session.fhir_server, session.patient, LOOKED_THROUGH)
    return next((one for one in found if one.study and one.study.reference == session.study), None)


def not_scored(
    prescreens: Prescreens, registration: Registration, session: Session, shown: Prescreen | None
) -> str:
    """``ImagingStudy/{id}`` that the EHR opened us on, where what is shown of the patient is of another."""
    if session.prescreen_id or (shown and shown.patient != session.patient):
        return ""
    return "" if of_study(prescreens, registration, session) else session.study


def chosen(prescreens: Prescreens, registration: Registration, session: Session, id: str) -> Prescreen:
    """The prescreen that a page or a form names.

    Raises :class:`NotThere` where there is none on this EHR, and :class:`OtherPatient` where it is of a patient
    who is not in context, and the user may not see others.
    """
    prescreen = prescreens.by_id(registration.tenant, id) if _UUID.fullmatch(id) else None
    if prescreen is None or prescreen.fhir_server != session.fhir_server:
        raise NotThere("there is no such prescreen")
    if prescreen.patient != session.patient and not sees_others(session):
        raise OtherPatient("the prescreen is of another patient than the launch")
    return _standing(prescreens, prescreen)


def _standing(prescreens: Prescreens, prescreen: Prescreen) -> Prescreen:
    """Of a prescreen with a late part the whole one that followed, once there is one."""
    if not prescreens.stands(prescreen):
        raise PrescreenWithdrawn("a model of the prescreen was withdrawn")
    if not prescreen.late:
        return prescreen
    latest = prescreens.latest(prescreen.tenant, prescreen.fhir_server, prescreen.patient)
    return latest if latest and _follows(latest, prescreen) else prescreen


def sees_others(session: Session) -> bool:
    """Whether the user may open the results of patients who are not in context."""
    return Role.RADIOLOGIST in session.roles and may_read_of_anyone(session.scope, "Patient")


def _follows(later: Prescreen, earlier: Prescreen) -> bool:
    return bool(later.issued and earlier.issued and later.issued >= earlier.issued)
