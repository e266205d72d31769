"""The request of a hook (CDS Hooks 2.0, "Calling a CDS Service"); what is in its context is its hook's matter."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cds.errors import RequestError
from cds.hooks.context import CONTEXTS, Context
from cds.hooks.discovery import Service
from cds.hooks.shape import json_object

_DEEPER = 8
"""By so many levels, an order that came at the sixth may stand deeper in a card, or in what is kept."""


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
    context: Context
    fhir_server: str | None
    authorization: FhirAuthorization | None = field(repr=False)
    prefetch: Mapping[str, Any] = field(repr=False)


def parse(service: Service, body: bytes) -> HookRequest:
    """Raise :class:`RequestError` naming the first thing that is not as the specification asks."""
    request = json_object(_json(body), "the request")
    if request.get("hook") != service.hook:
        raise RequestError(f"service {service.id} answers the hook {service.hook}")
    context = json_object(request.get("context"), "context")
    server = request.get("fhirServer")
    if server is not None and not isinstance(server, str):
        raise RequestError("fhirServer must be a URL")
    prefetch = request.get("prefetch")
    authorization = _authorization(request.get("fhirAuthorization"))
    if authorization and not server:
        raise RequestError("fhirAuthorization needs fhirServer")
    return HookRequest(
        service=service,
        hook_instance=_hook_instance(request.get("hookInstance")),
        context=CONTEXTS[service.hook](context),
        fhir_server=server,
        authorization=authorization,
        prefetch={} if prefetch is None else json_object(prefetch, "prefetch"),
    )


def _json(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError("the body is not JSON") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """What is read may be nested deeper than what can be written, and an order goes into a suggestion whole."""
    for _ in range(_DEEPER):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise RequestError("the body is nested too deeply") from None


def _hook_instance(value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        raise RequestError("hookInstance must be a UUID") from None


def _authorization(value: Any) -> FhirAuthorization | None:
    if value is None:
        return None
    given = json_object(value, "fhirAuthorization")
    token, scope = given.get("access_token"), given.get("scope")
    # In whichever letters (RFC 6749 §5.1).
    bearer = str(given.get("token_type")).lower() == "bearer"
    if not isinstance(token, str) or not isinstance(scope, str) or not bearer:
        raise RequestError("fhirAuthorization needs access_token, token_type Bearer and scope")
    if not re.fullmatch(r"[\x21-\x7e]{1,8192}", token):
        raise RequestError("fhirAuthorization.access_token is not a bearer token")
    patient = given.get("patient")
    if patient is not None and not isinstance(patient, str):
        raise RequestError("fhirAuthorization.patient must be the id of a patient")
    return FhirAuthorization(token, scope, patient)
