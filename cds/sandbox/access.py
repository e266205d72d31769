"""Access tokens: JWTs (RFC 9068) that carry SMART scopes, and what those scopes let their bearer do.

A scope is ``patient/…``, ``user/…`` or ``system/…`` with v1 (``.read``, ``.write``, ``.*``) or v2 (``.cruds``)
permissions (SMART App Launch 2.2, "Scopes for requesting FHIR resources").
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from cds.errors import Unauthenticated
from cds.sandbox.handles import Handles
from cds.sandbox.scopes import ResourceScope

Interaction = Literal["create", "read", "update", "delete", "search"]

_LONGEST_LIFETIME_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Access:
    """What a verified token says: who calls, through which client, and with which scopes."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    patient: str | None
    """The id of the patient in context, the compartment of all ``patient/`` scopes."""
    fhir_user: str | None
    audience: str
    expires: int
    """Seconds since 1970."""

    def allows(self, resource_type: str, interaction: Interaction) -> bool:
        """Whether any scope permits this; :meth:`compartment` says for whose records."""
        return bool(self._contexts(resource_type, interaction))

    def compartment(self, resource_type: str, interaction: Interaction) -> str | None:
        """The id of the only patient whose records may be touched; None where all may be.

        Ask only what :meth:`allows` permits.
        """
        return self.patient if self._contexts(resource_type, interaction) == {"patient"} else None

    def _contexts(self, resource_type: str, interaction: Interaction) -> set[str]:
        permitting = {
            granted.context
            for granted in filter(None, map(ResourceScope.parse, self.scopes))
            if granted.type in (resource_type, "*") and interaction[0] in granted.permissions
        }
        return permitting if self.patient else permitting - {"patient"}


class AccessTokens:
    """Issues and verifies the access tokens of one authorization server."""

    def __init__(self, key: ECKey, issuer: str) -> None:
        self._key = key
        self.issuer = issuer
        self._revoked: Handles[bool] = Handles(_LONGEST_LIFETIME_S)

    def issue(
        self,
        *,
        subject: str,
        client_id: str,
        scopes: Iterable[str],
        audience: str | Sequence[str],
        lifetime_s: int,
        patient: str | None = None,
        fhir_user: str | None = None,
    ) -> str:
        """A signed token that ``audience`` accepts for ``lifetime_s`` seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": audience if isinstance(audience, str) else list(audience),
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "iat": now,
            "exp": now + lifetime_s,
            "jti": secrets.token_urlsafe(16),
        }
        optional = {"patient": patient, "fhirUser": fhir_user}
        claims |= {name: value for name, value in optional.items() if value is not None}
        header = {"alg": "ES384", "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES384"])

    def verify(self, token: str, audience: str) -> Access:
        """Raise :class:`Unauthenticated` unless the token is ours, of today, and meant for ``audience``."""
        try:
            decoded = jwt.decode(token, self._key, algorithms=["ES384"])
            if decoded.header.get("typ") != "at+jwt":
                raise Unauthenticated("the token is not an access token")
            required = jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
            )
            required.validate(decoded.claims)
            if self._revoked.get(_digest(token)):
                raise Unauthenticated("the token was revoked")
            return _access(decoded.claims, audience)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated(f"the access token was not accepted ({type(error).__name__})") from None

    def revoke(self, token: str) -> None:
        """Refuse ``token`` from now on (RFC 7009); forgotten at a restart, as are those who would show it."""
        self._revoked.keep(_digest(token), True)


def _digest(token: str) -> str:
    """What a token says, whichever of ECDSA's two valid signatures it bears."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def _access(claims: dict[str, Any], audience: str) -> Access:
    return Access(
        subject=claims["sub"],
        client_id=claims["client_id"],
        scopes=frozenset(claims["scope"].split()),
        patient=claims.get("patient"),
        fhir_user=claims.get("fhirUser"),
        audience=audience,
        expires=claims["exp"],
    )
