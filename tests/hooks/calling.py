"""A hook's call as it reaches a service, its caller known."""

from __future__ import annotations

import uuid
from typing import Any

from cds.audit.trail import OnBehalf, Trail, party
from cds.deadline import Deadline
from cds.hooks.call import Call
from cds.hooks.client_auth import Client
from cds.hooks.context import Context
from cds.hooks.discovery import IMAGING_PRESCREEN, Service
from cds.hooks.request import HookRequest
from cds.registration import Registration

BASE = "https://ehr.example/fhir"
US = party("https://cds.example")


def call(
    tenant: str = "general",
    service: Service = IMAGING_PRESCREEN,
    *drafts: dict[str, Any],
    instance: str = "",
    user: str = "Practitioner/example",
    encounter: str | None = None,
    patient: str = "Patient/p1",
    base: str = BASE,
) -> Call:
    client = Client(Registration(issuer=base, tenant=tenant, fhir_servers=(base,)), "jti-1")
    context = Context(user, patient.removeprefix("Patient/"), encounter, drafts)
    hook = HookRequest(service, instance or str(uuid.uuid4()), context, base, None, {})
    return Call(client, hook, Deadline.after(1000), Trail(US, OnBehalf()))


def order(id: str | None = "o1", **changes: Any) -> dict[str, Any]:
    """A draft for a chest film."""
    whole = {
        "resourceType": "ServiceRequest",
        "id": id,
        "status": "draft",
        "intent": "order",
        "priority": "routine",
        "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "36643-5", "display": "XR Chest 2 Views"}]},
        "subject": {"reference": "Patient/p1"},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def named(text: str, **changes: Any) -> dict[str, Any]:
    """A draft that only words describe."""
    return order(**{"category": None, "code": {"text": text}} | changes)


KNEE = named("XR Knee left 2 views", id="knee")
BLOOD = order("blood", code={"text": "CBC"}, category=[{"coding": [{"code": "108252007"}]}])
REFERRAL = named("Referral to orthopaedics", id="referral")


def study(id: str = "s1", **changes: Any) -> dict[str, Any]:
    """A chest film of the chart."""
    return {
        "resourceType": "ImagingStudy",
        "id": id,
        "status": "available",
        "modality": [{"code": "DX"}],
        "started": "2026-11-22T06:55:00Z",
        "description": "XR CHEST",
        "series": [{"bodySite": {"system": "http://snomed.info/sct", "code": "51185008"}}],
    } | changes
