"""A PACS that asks for a certificate of ours is shown that of its registration, and nobody else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from flask import Flask, jsonify

from cds.errors import ConfigurationError, Unreachable
from cds.pacs import PacsAccess, transports
from cds.registration import Registration, Registrations
from tests.tls import Certificates, served

EHR = "https://ehr.example/fhir"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.made(tmp_path_factory.mktemp("pacs"))


@pytest.fixture(scope="module")
def pacs(certificates: Certificates) -> Iterator[str]:
    """The root of one that nobody reaches without a certificate."""
    app = Flask("pacs")
    app.add_url_rule("/dicom-web/studies/<study>/series", view_func=lambda study: jsonify([]), endpoint="series")
    with served(app, certificates) as url:
        yield f"{url}/dicom-web"


def registered(root: str, issuer: str = EHR, **tls: Any) -> Registration:
    return Registration.from_json(
        {
            "issuer": issuer,
            "tenant": "general",
            "fhirServers": [issuer],
            "jwksUrl": f"{EHR}/jwks",
            "pacs": [{"root": root, **tls}],
        }
    )


def series(registration: Registration) -> list[dict[str, Any]]:
    with httpx.Client(trust_env=False, mounts=transports(Registrations([registration]))) as http:
        access = PacsAccess(http, None, 1_000, 5.0)  # type: ignore[arg-type]
        return access.opener(registration, EHR)(registration.pacs[0].root).series("1.2")


def test_our_certificate_opens_it(pacs: str, certificates: Certificates) -> None:
    files = {"certificate": str(certificates.client), "ca": str(certificates.authority)}
    assert series(registered(pacs, **files)) == []


@pytest.mark.parametrize("left_out", ["certificate", "ca"])
def test_without_it_or_unknown_to_us_it_is_out_of_reach(
    pacs: str, certificates: Certificates, left_out: str
) -> None:
    files = {"certificate": str(certificates.client), "ca": str(certificates.authority)} | {left_out: ""}
    with pytest.raises(Unreachable):
        series(registered(pacs, **files))


@pytest.mark.parametrize("file", ["/nowhere.pem", __file__])
def test_a_file_that_cannot_be_used_stops_the_service(file: str) -> None:
    with pytest.raises(ConfigurationError, match=r"PACS https://pacs\.example:443 cannot be used"):
        transports(Registrations([registered("https://pacs.example", certificate=file)]))


def test_one_tenants_certificate_is_never_anothers(certificates: Certificates) -> None:
    one = registered("https://pacs.example/a", certificate=str(certificates.client))
    with pytest.raises(ConfigurationError, match="different certificates for one PACS"):
        Registrations([one, registered("https://pacs.example/b", "https://other.example")])


@pytest.mark.parametrize(
    ("root", "certificate", "why"),
    [("http://pacs.example", "us.pem", "https"), ("https://pacs.example", 5, "files")],
)
def test_what_no_registration_can_mean(root: str, certificate: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        registered(root, certificate=certificate)
