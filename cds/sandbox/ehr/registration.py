"""What a CDS service's operator writes down to trust this sandbox: an entry of ``CDS_REGISTRATIONS_FILE``."""

from __future__ import annotations

from typing import Any

from cds.sandbox.ehr.roles import ROLES
from cds.sandbox.keys import public_jwks
from cds.sandbox.parts import Sandbox


def registration(sandbox: Sandbox, *, tenant: str = "sandbox") -> dict[str, Any]:
    """The sandbox as it stands, the key of its CDS client pinned; a real PACS is called without a token."""
    own = sandbox.pacs_root == sandbox.dicomweb_root
    return {
        "issuer": sandbox.fhir_base,
        "tenant": tenant,
        "fhirServers": [sandbox.fhir_base],
        "jwks": public_jwks(sandbox.keys.cds_client),
        "algorithms": ["ES384"],
        "clientId": "sightline",
        "name": "Sandbox EHR",
        "standalone": True,
        "oauthHosts": [sandbox.base_url],
        "origins": [sandbox.base_url],
        "accessTokens": {"issuer": sandbox.fhir_base, "jwks": public_jwks(sandbox.keys.token)},
        "roles": {role: {"fhirUser": [f"Practitioner/{id}"]} for id, role in ROLES.items()},
        "pacs": [{"root": sandbox.pacs_root, "auth": "backend" if own else "none", "results": ["SR", "SC"]}],
    }
