"""Access tokens (RFC 9068) and SMART scopes, v1 and v2."""

from __future__ import annotations

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from cds.errors import Unauthenticated
from cds.sandbox.access import Access, AccessTokens, Interaction

AUDIENCE = "https://ehr.example/fhir"


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-384", {"alg": "ES384"}, private=True, auto_kid=True)


@pytest.fixture(scope="module")
def tokens(key: ECKey) -> AccessTokens:
    return AccessTokens(key, AUDIENCE)


def issue(
    tokens: AccessTokens, scopes: str = "user/*.rs", lifetime_s: int = 60, patient: str | None = None
) -> str:
    return tokens.issue(
        subject="u",
        client_id="c",
        scopes=scopes.split(),
        audience=AUDIENCE,
        lifetime_s=lifetime_s,
        patient=patient,
    )


def access(tokens: AccessTokens, scopes: str, patient: str | None = None) -> Access:
    return tokens.verify(issue(tokens, scopes, patient=patient), AUDIENCE)


def test_a_token_says_what_it_was_issued_for(tokens: AccessTokens) -> None:
    seen = access(tokens, "patient/Patient.rs openid", patient="p1")
    assert (seen.subject, seen.client_id, seen.patient, seen.audience) == ("u", "c", "p1", AUDIENCE)
    assert seen.scopes == {"patient/Patient.rs", "openid"}


def test_two_tokens_are_never_the_same(tokens: AccessTokens) -> None:
    assert issue(tokens) != issue(tokens)


def test_expired(tokens: AccessTokens) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(issue(tokens, lifetime_s=-1), AUDIENCE)


def test_for_another_audience(tokens: AccessTokens) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(issue(tokens), "https://pacs.example")


def test_by_another_key(tokens: AccessTokens) -> None:
    other = AccessTokens(ECKey.generate_key("P-384", private=True, auto_kid=True), AUDIENCE)
    with pytest.raises(Unauthenticated):
        tokens.verify(issue(other), AUDIENCE)


def test_by_another_issuer(key: ECKey, tokens: AccessTokens) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(issue(AccessTokens(key, "https://other.example")), AUDIENCE)


def test_an_id_token_is_no_access_token(key: ECKey, tokens: AccessTokens) -> None:
    claims = jwt.decode(issue(tokens), key, algorithms=["ES384"]).claims
    token = jwt.encode({"alg": "ES384", "typ": "JWT"}, claims, key, algorithms=["ES384"])
    with pytest.raises(Unauthenticated):
        tokens.verify(token, AUDIENCE)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 20, "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token(tokens: AccessTokens, token: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(token, AUDIENCE)


@pytest.mark.parametrize(
    ("scope", "of_type", "interaction", "allowed"),
    [
        ("user/Patient.read", "Patient", "read", True),
        ("user/Patient.read", "Patient", "search", True),
        ("user/Patient.read", "Patient", "create", False),
        ("user/Patient.read", "Observation", "read", False),
        ("user/*.read", "Observation", "read", True),
        ("system/*.*", "Task", "delete", True),
        ("system/DiagnosticReport.write", "DiagnosticReport", "update", True),
        ("system/DiagnosticReport.write", "DiagnosticReport", "read", False),
        ("user/Patient.r", "Patient", "read", True),
        ("user/Patient.r", "Patient", "search", False),
        ("user/Patient.cruds", "Patient", "delete", True),
        ("user/Patient.sr", "Patient", "read", False),
        ("user/Observation.rs?category=laboratory", "Observation", "read", False),
        ("patient/Patient.rs", "Patient", "read", False),
        ("openid", "Patient", "read", False),
    ],
)
def test_scopes(tokens: AccessTokens, scope: str, of_type: str, interaction: Interaction, allowed: bool) -> None:
    assert access(tokens, scope).allows(of_type, interaction) is allowed


def test_a_patient_scope_is_limited_to_its_patient(tokens: AccessTokens) -> None:
    seen = access(tokens, "patient/*.rs user/Practitioner.r", patient="p1")
    assert seen.compartment("Observation", "read") == "p1"
    assert seen.compartment("Practitioner", "read") is None
