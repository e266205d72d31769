"""Who is signed in: the id_token (OpenID Connect Core 1.0, 3.1.3.7; SMART App Launch 2.2, "Scopes for identity").

Verified by the keys that the issuer publishes on a host registered for this EHR; nothing in it is believed before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cds.ehr.datatypes import Resource, string
from cds.ehr.fhir_base import FhirBase
from cds.ehr.issuer_keys import IssuerKeys
from cds.ehr.smart_configuration import SmartConfiguration, fetch_document
from cds.errors import NotAllowed
from cds.registration import ASYMMETRIC
from cds.smart.refusals import TokenRefused

LEEWAY_S = 30
MAX_CHARACTERS = 16 * 1024
PERSONS = frozenset({"Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"})
"""What ``fhirUser`` may be."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom the authorization server vouches for."""

    issuer: str
    subject: str
    fhir_user: str
    """``Practitioner/{id}`` on the EHR's FHIR server; empty where it is not said, or of another server."""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that the token says, ``fhirUser`` as above."""


def verify(
    http: httpx.Client,
    issuer_keys: IssuerKeys,
    configuration: SmartConfiguration,
    token: str,
    nonce: str,
    *,
    timeout_s: float,
) -> User:
    """The user whom ``token`` names; :class:`TokenRefused` unless all of it holds."""
    issuer = configuration.issuer
    if not issuer or not token or len(token) > MAX_CHARACTERS:
        raise TokenRefused("the EHR did not say who is signed in")
    jwks_uri = _jwks_uri(http, configuration, timeout_s)
    try:
        keys = issuer_keys.of(None, jwks_uri, _kid(token))
        # By the key of the header's kid, or the only one there is.
        claims = jwt.decode(token, KeySet(list(keys)), algorithms=ASYMMETRIC).claims
        _validate(claims, issuer, configuration.registration.client_id, nonce)
    except (JoseError, ValueError, TypeError, KeyError) as wrong:
        raise TokenRefused(f"the id_token does not hold ({type(wrong).__name__})") from None
    fhir_user = _fhir_user(claims, configuration.base)
    return User(issuer, claims["sub"], fhir_user, {**claims, "fhirUser": fhir_user})


def _jwks_uri(http: httpx.Client, configuration: SmartConfiguration, timeout_s: float) -> str:
    """Where the issuer's keys are; where the SMART configuration does not say, OpenID Connect Discovery does."""
    if "jwks_uri" in configuration.document:
        return configuration.endpoint("jwks_uri")
    issuer = configuration.issuer.removesuffix("/")
    if not configuration.registration.allows_oauth(issuer):
        raise NotAllowed("the issuer is not on a host registered for this EHR")
    url = f"{issuer}/.well-known/openid-configuration"
    document = fetch_document(http, url, "the OpenID configuration", timeout_s)
    if document.get("issuer") != configuration.issuer:
        raise TokenRefused("the OpenID configuration is another issuer's")
    return replace(configuration, base=issuer, document=document).endpoint("jwks_uri")


def _kid(token: str) -> str | None:
    kid = jws.extract_compact(token.encode()).headers().get("kid")
    return kid if isinstance(kid, str) else None


def _validate(claims: dict[str, Any], issuer: str, client_id: str, nonce: str) -> None:
    """Rules 2, 3 to 5, 9, 10 and 11 of OpenID Connect Core 3.1.3.7."""
    wanted = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer},
        sub={"essential": True},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
        # For several audiences it must be said to which of them it was given.
        azp={"essential": isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1, "value": client_id},
    )
    wanted.validate(claims)


def _fhir_user(claims: Resource, base: str) -> str:
    """``Type/id`` of ``fhirUser``, absolute or relative, where it lives on this FHIR server."""
    try:
        type_, id_ = FhirBase(base).resolve(string(claims, "fhirUser"))
    except NotAllowed:
        return ""
    return f"{type_}/{id_}" if type_ in PERSONS else ""
