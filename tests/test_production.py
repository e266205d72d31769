"""Production refuses every development shortcut, and says which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds.errors import ConfigurationError
from cds.keys import Keys, write_new
from cds.production import refuse_unsafe
from cds.registration import Registration, Registrations
from cds.settings import Settings

SAFE = Settings(
    env="production",
    database_url="postgresql://app@db/x?sslmode=verify-full",
    redis_url="rediss://v/0",
    registrations_file=Path("r.json"),
    public_url="https://cds.example",
)
EHR = {
    "issuer": "https://ehr.example",
    "tenant": "general",
    "fhirServers": ["https://ehr.example/fhir"],
    "jwks": {"keys": [{"kid": "k"}]},
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    write_new(path)
    return Keys.load(replace(SAFE, keys_file=path))


def known(**changes: Any) -> Registrations:
    return Registrations([Registration.from_json(EHR | changes)])


def test_a_safe_configuration_starts(keys: Keys) -> None:
    refuse_unsafe(SAFE, keys, known())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"database_url": ""}, "CDS_DATABASE_URL"),
        ({"database_url": "postgresql://app@db/x"}, "CDS_DATABASE_URL leads"),
        ({"database_url": "postgresql://app@db/x?sslmode=require"}, "CDS_DATABASE_URL leads"),
        ({"database_url": "postgresql://app@127.0.0.1,db/x"}, "CDS_DATABASE_URL leads"),
        ({"database_url": "host=db user=app"}, "CDS_DATABASE_URL leads"),
        ({"database_url": "no such thing"}, "CDS_DATABASE_URL leads"),
        ({"database_admin_url": "postgresql://owner@db/x"}, "CDS_DATABASE_ADMIN_URL leads"),
        ({"redis_url": ""}, "CDS_REDIS_URL"),
        ({"redis_url": "redis://valkey/0"}, "CDS_REDIS_URL leads"),
        ({"registrations_file": None}, "CDS_REGISTRATIONS_FILE"),
        ({"public_url": "http://cds.example"}, "CDS_PUBLIC_URL"),
        ({"sandbox_pacs_url": "http://127.0.0.1"}, "CDS_SANDBOX_PACS_URL"),
        ({"engine_urls": "https://one,http://two"}, "CDS_ENGINE_URLS leads"),
    ],
)
def test_unsafe_settings(changes: dict[str, Any], named: str, keys: Keys) -> None:
    with pytest.raises(ConfigurationError, match=named):
        refuse_unsafe(replace(SAFE, **changes), keys, known())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"issuer": "http://ehr.example"}, "without TLS"),
        ({"fhirServers": ["http://ehr.example/fhir"]}, "without TLS"),
        ({"pacs": [{"root": "http://pacs.example"}]}, "without TLS"),
        ({"tenant": "sandbox"}, "the sandbox's"),
        ({"fhirServers": ["https://127.0.0.1/fhir"]}, "the sandbox's"),
        ({"fhirServers": ["https://localhost:8481/fhir"]}, "the sandbox's"),
    ],
)
def test_unsafe_registrations(changes: dict[str, Any], named: str, keys: Keys) -> None:
    with pytest.raises(ConfigurationError, match=named):
        refuse_unsafe(SAFE, keys, known(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"database_url": "postgresql://app@/x?host=%2Frun%2Fpostgresql"},
        {"database_url": "postgresql://app@127.0.0.1/x"},
        {"redis_url": "unix://:secret@/run/valkey.sock"},
        {"redis_url": "redis://127.0.0.1:6379/0"},
        {"engine_urls": "http://127.0.0.1:8490,https://engine.example"},
    ],
)
def test_what_stays_on_this_machine_needs_no_tls(changes: dict[str, Any], keys: Keys) -> None:
    refuse_unsafe(replace(SAFE, **changes), keys, known())


def test_development_keys_are_refused(tmp_path: Path) -> None:
    write_new(tmp_path / "keys.json", development=True)
    with pytest.raises(ConfigurationError, match="development keys"):
        Keys.load(replace(SAFE, keys_file=tmp_path / "keys.json"))


def test_production_makes_no_keys_by_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cds keys new"):
        Keys.load(replace(SAFE, data_dir=tmp_path))


def test_keys_are_readable_by_us_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_new(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match="exists"):
        write_new(path)


def test_development_keys_are_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert Keys.load(settings).pseudonym == Keys.load(settings).pseudonym
