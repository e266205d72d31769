"""What is served here, and who lets in (FHIR R4, "CapabilityStatement"; SMART App Launch 2.2, "Conformance")."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from cds.fhir.query import INCLUDES
from cds.registration import Registration
from cds.reporting.codes import CANONICAL
from cds.store.search.parameters import OF_PATIENTS, PARAMETERS, parameters

Resource = dict[str, Any]

DATE = "2026-11-22"
"""When this statement last changed."""

_BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
SMART_CAPABILITIES = ("permission-patient", "permission-user", "permission-v1", "permission-v2")
SCOPES = ("patient/*.rs", "user/*.rs", "system/*.rs")


def capability_statement(base: str) -> Resource:
    return {
        "resourceType": "CapabilityStatement",
        "id": "sightline",
        "url": f"{CANONICAL}/CapabilityStatement/sightline",
        "version": version("sightline"),
        "name": "SightlineEndpoint",
        "title": "Sightline's own FHIR endpoint",
        "status": "active",
        "date": DATE,
        "publisher": "Sightline",
        "description": "Preliminary AI results, their provenance, and who saw them. Read only.",
        "kind": "instance",
        "software": {"name": "Sightline", "version": version("sightline")},
        "implementation": {"description": "Imaging decision support", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "implementationGuide": [f"{CANONICAL}/ImplementationGuide/sightline"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": True,
                    "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
                    "description": "Access tokens of the authorization server of each registered EHR.",
                },
                "resource": [*(_resource(type) for type in PARAMETERS), _GROUP],
                "operation": [{"name": "export", "definition": f"{_BULK}/export"}],
            }
        ],
    }


def smart_configuration(registrations: Iterable[Registration]) -> Resource:
    """Tokens are given by the EHRs' authorization servers, which have metadata of their own.

    Of one tenant they are named (RFC 9728 §2). Of several not: a client knows its own, and whom else we serve is
    nobody's business.
    """
    giving = [registration for registration in registrations if registration.access_tokens]
    issuers = sorted({r.access_tokens.issuer for r in giving if r.access_tokens})
    alone = len({registration.tenant for registration in giving}) == 1
    return {
        "capabilities": list(SMART_CAPABILITIES),
        "scopes_supported": list(SCOPES),
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        **({"authorization_servers": issuers} if alone else {}),
    }


def _resource(type: str) -> Resource:
    described: Resource = {
        "type": type,
        "interaction": [{"code": code} for code in ("read", "vread", "history-instance", "search-type")],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalRead": "full-support",
        "searchParam": [{"name": name, "type": kind} for name, kind in search_parameters(type)],
    }
    includes = [name for name in INCLUDES if name.startswith(f"{type}:")]
    revincludes = [name for name, targets in INCLUDES.items() if type in targets]
    return (
        described
        | ({"searchInclude": includes} if includes else {})
        | ({"searchRevInclude": revincludes} if revincludes else {})
    )


def search_parameters(type: str) -> list[tuple[str, str]]:
    """Name and type of each parameter, by name."""
    known = [(name, str(parameter.kind)) for name, parameter in parameters(type).items()]
    return sorted(known + ([("patient", "reference")] if type in OF_PATIENTS else []))


_GROUP: Resource = {
    "type": "Group",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "operation": [{"name": "export", "definition": f"{_BULK}/group-export"}],
}
