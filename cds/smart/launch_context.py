"""What the EHR says along with the token (SMART App Launch 2.2, scopes-and-launch-context.html, "Launch context").

Nothing of it is trusted beyond its form: it says what to show first, the access token what may be shown.
"""

from __future__ import annotations

import re
from typing import TypedDict

from cds import app_context
from cds.ehr.datatypes import ID, Resource, elements, string
from cds.ehr.fhir_base import FhirBase
from cds.errors import Forbidden, NotAllowed
from cds.smart.refusals import NoPatient

_PLAIN = re.compile(r"[\w .:/-]{1,256}")


class LaunchContext(TypedDict):
    """The fields of a session that a launch fills."""

    patient_id: str
    encounter_id: str
    study: str
    need_patient_banner: bool
    intent: str
    ehr_tenant: str
    prescreen_id: str
    link_expired: bool


def of_token(parameters: Resource, fhir_server: str, handle_key: bytes) -> LaunchContext:
    """The context in a token answer of that FHIR server; :class:`NoPatient` where it names none."""
    patient = string(parameters, "patient")
    if not ID.fullmatch(patient):
        raise NoPatient("the token's launch context names no patient")
    encounter = string(parameters, "encounter")
    prescreen_id, link_expired = _card(string(parameters, "appContext"), handle_key)
    return LaunchContext(
        patient_id=patient,
        encounter_id=encounter if ID.fullmatch(encounter) else "",
        study=_study(parameters, FhirBase(fhir_server)),
        need_patient_banner=parameters.get("need_patient_banner") is not False,
        intent=_plain(parameters, "intent"),
        ehr_tenant=_plain(parameters, "tenant"),
        prescreen_id=prescreen_id,
        link_expired=link_expired,
    )


def _study(parameters: Resource, base: FhirBase) -> str:
    """The first ImagingStudy of ``fhirContext`` that we were launched on, if it is on that server."""
    for entry in elements(parameters, "fhirContext"):
        try:
            type_, id_ = base.resolve(string(entry, "reference"))
        except NotAllowed:
            continue
        if type_ == "ImagingStudy" and entry.get("role", "launch") == "launch":
            return f"{type_}/{id_}"
    return ""


def _card(handle: str, key: bytes) -> tuple[str, bool]:
    """The prescreen of the card that we were opened from, by ``appContext``, and whether its link is of no use."""
    if not handle:
        return "", False
    try:
        return app_context.read(key, handle), False
    except Forbidden:
        return "", True


def _plain(parameters: Resource, name: str) -> str:
    value = string(parameters, name)
    return value if _PLAIN.fullmatch(value) else ""
