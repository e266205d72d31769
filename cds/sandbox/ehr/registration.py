"""What a CDS service's operator writes down to trust this sandbox: an entry of ``CDS_REGISTRATIONS_FILE``."""

from __future__ import annotations

from typing import Any

from cds.sandbox.keys import SandboxKeys, public_jwks


def registration(
    base_url: str, keys: SandboxKeys, *, pacs_url: str = "", tenant: str = "sandbox"
) -> dict[str, Any]:
    """The sandbox at ``base_url``, its CDS client's key pinned; ``pacs_url`` a real PACS in place of its own."""
    base = base_url.rstrip("/")
    pacs = {"root": pacs_url, "auth": "none"} if pacs_url else {"root": f"{base}/dicom-web", "auth": "backend"}
    return {
        "issuer": f"{base}/fhir",
        "tenant": tenant,
        "fhirServers": [f"{base}/fhir"],
        "jwks": public_jwks(keys.cds_client),
        "algorithms": ["ES384"],
        "clientId": "sightline",
        "oauthHosts": [base],
        "origins": [base],
        "pacs": [pacs],
    }
