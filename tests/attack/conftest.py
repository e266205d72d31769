"""The service as it runs, two EHRs that may call it, and a trap at which nobody may ever arrive."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import settings
from joserfc.jwk import ECKey, Key, RSAKey

from cds.processes import Processes
from cds.serving import answers, start_web
from cds.settings import Settings
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests.attack import parties
from tests.attack.parties import Ehr, Trap
from tests.attack.service import KID, OTHER_KID, OTHER_TENANT, PUBLIC, RSA_KID, SMALL_KID, TENANT, Service
from tests.engines import share_what_is_known
from tests.hospital import MODELS
from tests.master import MASTER_KEY

settings.register_profile("long", max_examples=20_000)


@pytest.fixture(scope="session")
def laid_trap() -> Iterator[Trap]:
    with parties.trap() as laid:
        yield laid


@pytest.fixture
def trap(laid_trap: Trap) -> Iterator[Trap]:
    """Whatever the test does, nobody arrives here."""
    yield laid_trap
    assert laid_trap.seen == []


@pytest.fixture(scope="session")
def hostile() -> Iterator[Ehr]:
    with parties.ehr() as party:
        yield party


@pytest.fixture
def ehr(hostile: Ehr) -> Iterator[Ehr]:
    """The registered EHR, without any answer yet."""
    hostile.answers.clear()
    hostile.asked.clear()
    return hostile


@pytest.fixture(scope="session")
def keys() -> dict[str, Key]:
    return {
        KID: ECKey.generate_key("P-384", {"use": "sig", "kid": KID}),
        OTHER_KID: ECKey.generate_key("P-384", {"use": "sig", "kid": OTHER_KID}),
        RSA_KID: RSAKey.generate_key(2048, {"use": "sig", "kid": RSA_KID}),
        SMALL_KID: ECKey.generate_key("P-256", {"use": "sig", "kid": SMALL_KID}),
    }


@pytest.fixture(scope="session")
def service(
    postgres: EmbeddedPostgres,
    database: Database,
    valkey_url: str,
    hostile: Ehr,
    keys: dict[str, Key],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Gunicorn with two workers. What it has not answered in a minute, three times its budget, it never will."""
    home, issuer, other_issuer = tmp_path_factory.mktemp("attacked"), hostile.fhir, "https://other.example/fhir"
    ours = {kid: key.as_dict(private=False) for kid, key in keys.items()}
    entries = [
        {
            "issuer": issuer,
            "tenant": TENANT,
            "fhirServers": [hostile.fhir],
            "jwks": {"keys": [ours[KID], ours[RSA_KID], ours[SMALL_KID]]},
            "clientId": "sightline",
            "pacs": [{"root": hostile.dicomweb}, {"root": f"{hostile.base_url}/guarded", "auth": "backend"}],
        },
        {
            "issuer": other_issuer,
            "tenant": OTHER_TENANT,
            "fhirServers": [f"{hostile.base_url}/other"],
            "jwksUrl": f"{hostile.base_url}/jwks",
            "clientId": "sightline",
        },
    ]
    share_what_is_known(home)
    registrations = home / "registrations.json"
    registrations.write_text(json.dumps(entries))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    configuration = Settings(
        master_key=MASTER_KEY,
        data_dir=home,
        port=port,
        public_url=PUBLIC,
        web_workers=2,
        database_url=postgres.app_url,
        redis_url=valkey_url,
        registrations_file=registrations,
        models_dir=MODELS,
        # Two workers share two cores with the tests: a slow moment is no finding.
        hook_budget_ms=20_000,
        hook_rate_per_minute=0,
    )
    base_url = f"http://127.0.0.1:{port}"
    with Processes(home / "logs") as processes, httpx.Client(base_url=base_url, timeout=60) as http:
        web = start_web(processes, configuration)
        # Each worker loads the models: on a machine that has other work to do that takes its time.
        processes.wait(web, lambda: answers(f"{base_url}/readyz"), within_s=280)
        yield Service(base_url, issuer, other_issuer, keys, hostile.fhir, database, http)
