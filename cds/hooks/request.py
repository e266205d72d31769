"""The request of a hook (CDS Hooks 2.0, "Calling a CDS Service"; order-sign 1.0, "Context")."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cds.errors import RequestError
from cds.hooks.discovery import Service

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FhirAuthorization:
    """The token that the EHR lends us for this one call. It is never kept and never logged."""

    access_token: str = field(repr=False)
    scope: str
    patient: str | None


@dataclass(frozen=True, slots=True)
class HookRequest:
    """A request whose shape has been checked."""

    service: Service
    hook_instance: str
    user: str
    patient_id: str
    encounter_id: str | None
    draft_orders: tuple[Json, ...]
    fhir_server: str | None
    authorization: FhirAuthorization | None = field(repr=False)
    prefetch: Mapping[str, Any] = field(repr=False)

    @property
    def orders(self) -> tuple[Json, ...]:
        """The service requests among the draft orders: what we have something to say about."""
        return tuple(order for order in self.draft_orders if order.get("resourceType") == "ServiceRequest")


def parse(service: Service, body: bytes) -> HookRequest:
    """Raise :class:`RequestError` naming the first thing that is not as the specification asks."""
    request = _object(_json(body), "the request")
    if request.get("hook") != service.hook:
        raise RequestError(f"service {service.id} answers the hook {service.hook}")
    context = _object(request.get("context"), "context")
    server = request.get("fhirServer")
    if server is not None and not isinstance(server, str):
        raise RequestError("fhirServer must be a URL")
    authorization = _authorization(request.get("fhirAuthorization"))
    if authorization and not server:
        raise RequestError("fhirAuthorization needs fhirServer")
    return HookRequest(
        service=service,
        hook_instance=_hook_instance(request.get("hookInstance")),
        user=_matching(_REFERENCE, context.get("userId"), "context.userId"),
        patient_id=_matching(_ID, context.get("patientId"), "context.patientId"),
        encounter_id=_optional_id(context.get("encounterId"), "context.encounterId"),
        draft_orders=_draft_orders(context.get("draftOrders")),
        fhir_server=server,
        authorization=authorization,
        prefetch=_object(request.get("prefetch", {}), "prefetch"),
    )


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError("the body is not JSON") from None


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise RequestError(f"{name} must be a JSON object")
    return value


def _matching(pattern: re.Pattern[str], value: Any, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RequestError(f"{name} is missing or not of the form that the hook asks")
    return value


def _optional_id(value: Any, name: str) -> str | None:
    return None if value is None else _matching(_ID, value, name)


def _hook_instance(value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        raise RequestError("hookInstance must be a UUID") from None


def _authorization(value: Any) -> FhirAuthorization | None:
    if value is None:
        return None
    given = _object(value, "fhirAuthorization")
    token, scope = given.get("access_token"), given.get("scope")
    if not isinstance(token, str) or not isinstance(scope, str) or given.get("token_type") != "Bearer":
        raise RequestError("fhirAuthorization needs access_token, token_type Bearer and scope")
    if not re.fullmatch(r"[\x21-\x7e]{1,8192}", token):
        raise RequestError("fhirAuthorization.access_token is not a bearer token")
    patient = given.get("patient")
    return FhirAuthorization(token, scope, patient if isinstance(patient, str) else None)


def _draft_orders(value: Any) -> tuple[Json, ...]:
    bundle = _object(value, "context.draftOrders")
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        raise RequestError("context.draftOrders must be a Bundle")
    return tuple(_object(_object(e, "a draftOrders entry").get("resource"), "a draft order") for e in entries)
