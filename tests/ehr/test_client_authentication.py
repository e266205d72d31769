"""Who we are at the token endpoint (client-confidential-asymmetric.html, client-confidential-symmetric.html)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from cds.ehr.client_authentication import authenticated
from cds.errors import ConfigurationError
from cds.keys import Keys
from cds.registration import Registration
from cds.settings import Settings

TOKEN = "https://auth.ehr.example/token"
NOW = 1_790_000_000.0


def request(keys: Keys, registration: Registration, *algorithms: str) -> httpx.Request:
    return authenticated(keys, registration, TOKEN, {"grant_type": "x"}, algorithms, NOW)


def form(request: httpx.Request) -> Mapping[str, str]:
    return {name: value for name, (value,) in parse_qs(request.content.decode()).items()}


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_an_assertion_in_either_of_the_two_algorithms(
    algorithm: str, keys: Keys, registration: Registration
) -> None:
    sent = form(request(keys, registration, algorithm))
    published = KeySet.import_key_set(keys.signing.published(NOW))  # type: ignore[arg-type]
    assertion = jwt.decode(sent.pop("client_assertion"), published, algorithms=[algorithm])
    assert sent == {
        "grant_type": "x",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert assertion.header.keys() == {"alg", "kid", "typ"}
    assert (assertion.header["alg"], assertion.header["typ"]) == (algorithm, "JWT")
    claims = assertion.claims
    assert claims["iss"] == claims["sub"] == "sightline"
    assert claims["aud"] == TOKEN
    assert 0 < claims["exp"] - NOW <= 300


class TestSecret:
    VARIABLE = "SIGHTLINE_TEST_SECRET"

    def test_it_is_sent_as_basic_both_parts_encoded_first(
        self, keys: Keys, registration: Registration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RFC 6749, 2.3.1."""
        monkeypatch.setenv(self.VARIABLE, "s:e c/r+t%")
        sent = request(keys, replace(registration, client_id="a:b", client_secret_variable=self.VARIABLE))
        scheme, _, value = sent.headers["Authorization"].partition(" ")
        assert scheme == "Basic"
        assert base64.b64decode(value).decode() == "a%3Ab:s%3Ae+c%2Fr%2Bt%25"
        assert form(sent) == {"grant_type": "x"}

    def test_it_is_not_shown(self, registration: Registration, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(self.VARIABLE, "sesame")
        assert "sesame" not in repr(replace(registration, client_secret_variable=self.VARIABLE))

    def test_the_service_does_not_start_without_it(self, tmp_path: Path) -> None:
        from cds.production import checked

        file = tmp_path / "registrations.json"
        file.write_text(
            """[{"issuer": "https://e.example", "tenant": "t", "fhirServers": ["https://e.example"],
                 "jwksUrl": "https://e.example/jwks", "clientSecretVariable": "SIGHTLINE_NOT_SET"}]"""
        )
        with pytest.raises(ConfigurationError, match="SIGHTLINE_NOT_SET must hold our client secret"):
            checked(Settings(data_dir=tmp_path, registrations_file=file))
