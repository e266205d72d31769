"""Draft imaging orders: ServiceRequests as the order form fills them (FHIR R4)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from cds.errors import RequestError

Json = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED_CT = "http://snomed.info/sct"
PRIORITIES = ("routine", "urgent", "asap", "stat")
MAX_REASON = 500

IMAGING: dict[str, Json] = {
    code: {"system": LOINC, "code": code, "display": display}
    for code, display in (
        ("36643-5", "XR Chest 2 Views"),
        ("36572-6", "XR Chest AP"),
        ("24627-2", "CT Chest"),
        ("24628-0", "CT Chest W contrast IV"),
        ("24725-4", "CT Head"),
    )
}
_BODY_SITES = {
    "Chest": {"system": SNOMED_CT, "code": "51185008", "display": "Thoracic structure"},
    "Head": {"system": SNOMED_CT, "code": "69536005", "display": "Head structure"},
}


def draft(patient: str, user: str, encounter: str = "", *, code: str = "36643-5", reason: str = "") -> Json:
    """A new imaging order of ``user``'s for ``patient`` (bare ids, save ``user``), not yet signed."""
    order: Json = {
        "resourceType": "ServiceRequest",
        "id": f"draft-{uuid.uuid4()}",
        "status": "draft",
        "intent": "order",
        "category": [{"coding": [{"system": SNOMED_CT, "code": "363679005", "display": "Imaging"}]}],
        "subject": {"reference": f"Patient/{patient}"},
        "requester": {"reference": user},
        "authoredOn": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if encounter:
        order["encounter"] = {"reference": f"Encounter/{encounter}"}
    return edited(order, code=code, priority="routine", reason=reason)


def edited(order: Json, *, code: str, priority: str, reason: str) -> Json:
    """``order`` after the form was filled in; :class:`RequestError` for a value that the form does not offer."""
    if priority not in PRIORITIES:
        raise RequestError("the priority must be one of " + ", ".join(PRIORITIES))
    changed = {**order, "priority": priority}
    if code != code_of(order):
        if code not in IMAGING:
            raise RequestError("the order's code is none that can be ordered here")
        changed["code"] = {"coding": [IMAGING[code]], "text": IMAGING[code]["display"]}
        changed["bodySite"] = [
            {"coding": [_BODY_SITES["Head" if "Head" in IMAGING[code]["display"] else "Chest"]]}
        ]
    said = reason.strip()[:MAX_REASON]
    if said != reason_of(order):
        changed["reasonCode"] = [{"text": said}]
    if not said:
        changed.pop("reasonCode", None)
    return changed


def signed(order: Json) -> Json:
    """The order as it is filed."""
    return {**order, "status": "active"}


def code_of(order: Json) -> str:
    """The code of the list that the order is for, else whatever code it has."""
    codes = [str(coding.get("code", "")) for coding in order.get("code", {}).get("coding", ())]
    return next((code for code in codes if code in IMAGING), codes[0] if codes else "")


def display_of(order: Json) -> str:
    concept = order.get("code", {})
    coding = (concept.get("coding") or [{}])[0]
    return str(concept.get("text") or coding.get("display") or coding.get("code") or order.get("resourceType"))


def reason_of(order: Json) -> str:
    """The reason in words: its text, else the display of its code."""
    reason = (order.get("reasonCode") or [{}])[0]
    coding = (reason.get("coding") or [{}])[0]
    return str(reason.get("text") or coding.get("display") or "")
