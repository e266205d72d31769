"""The EHR of these tests, registered, and clients whose network is a handler function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from cds.ehr.fhir_client import FhirClient
from cds.registration import Registration

BASE = "https://ehr.example/fhir"

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def registration() -> Registration:
    return Registration.from_json(
        {
            "issuer": BASE,
            "tenant": "st-elsewhere",
            "fhirServers": [BASE],
            "jwksUrl": "https://ehr.example/jwks",
            "clientId": "sightline",
            "oauthHosts": ["https://auth.ehr.example"],
            "pacs": [{"root": "https://pacs.example/dicom-web", "auth": "backend"}],
        }
    )


@pytest.fixture
def client_of(registration: Registration) -> Iterator[Callable[..., FhirClient]]:
    """A client of the EHR that answers with ``handler``."""
    opened: list[httpx.Client] = []

    def make(handler: Handler, auth: httpx.Auth | None = None, **limits: Any) -> FhirClient:
        opened.append(httpx.Client(transport=httpx.MockTransport(handler)))
        return FhirClient(opened[-1], registration, BASE, auth, **limits)

    yield make
    for http in opened:
        http.close()


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield pool
