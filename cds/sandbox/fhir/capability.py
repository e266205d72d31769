"""What this server can do (FHIR R4, "CapabilityStatement"; SMART App Launch 2.2, "oauth-uris")."""

from __future__ import annotations

from typing import Any

from flask import Response

from cds.sandbox.fhir.representation import FHIR_JSON, fhir_json
from cds.sandbox.parameters import BY_TYPE, parameters
from cds.sandbox.parts import sandbox

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_INTERACTIONS = ("read", "vread", "create", "update", "search-type")


def metadata() -> Response:
    """The CapabilityStatement, the one page that needs no token."""
    return fhir_json(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-01-01",
            "kind": "instance",
            "software": {"name": "Sightline sandbox"},
            "implementation": {"description": "A sandbox EHR", "url": sandbox().fhir_base},
            "fhirVersion": "4.0.1",
            "format": [FHIR_JSON, "json"],
            "rest": [
                {
                    "mode": "server",
                    "security": _security(),
                    "resource": [_resource(of_type) for of_type in BY_TYPE],
                    "interaction": [{"code": "transaction"}, {"code": "batch"}],
                }
            ],
        }
    )


def _security() -> dict[str, Any]:
    oauth = f"{sandbox().base_url}/oauth"
    uris = [{"url": name, "valueUri": f"{oauth}/{name}"} for name in ("authorize", "token", "introspect")]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
    }


def _resource(of_type: str) -> dict[str, Any]:
    described = {
        "type": of_type,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "searchParam": [{"name": name, "type": parameter.kind} for name, parameter in parameters(of_type).items()],
    }
    return described | ({"searchInclude": ["ImagingStudy:endpoint"]} if of_type == "ImagingStudy" else {})
