"""What we remember between requests: on the server, encrypted, for a while.

Kept in Valkey under the digest of a secret that the browser, or the authorization server, brings back. Whoever
reads Valkey learns neither the secrets nor what they stand for.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cds.smart.refusals import SessionExpired
from cds.store.valkey import Valkey

IDLE_S = 15 * 60
TOKEN_S = 3600
"""How long an access token is taken to be good where the EHR does not say, and at the most."""
LONGEST_S = 12 * 3600
"""However often it is used and its token renewed, a session ends after this."""


def token_end(said: float | None, now: float) -> float:
    """When an access token of now is taken to end, by what the EHR said."""
    return min(said or math.inf, now + TOKEN_S)


def new_secret() -> str:
    """256 bits, base64url."""
    return secrets.token_urlsafe(32)


class Sealed:
    """JSON objects of one ``kind`` in Valkey, each sealed to its place by AES-256-GCM."""

    def __init__(self, valkey: Valkey, key: bytes, kind: str) -> None:
        self._valkey = valkey
        self._kind = kind
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=f"smart {kind}".encode()).derive(key))

    def put(self, secret: str, value: dict[str, Any], ttl_s: float) -> None:
        place, nonce = self._place(secret), secrets.token_bytes(12)
        sealed = nonce + self._cipher.encrypt(nonce, orjson.dumps(value), place.encode())
        self._valkey.put_bytes(place, sealed, ttl_s)

    def get(self, secret: str) -> dict[str, Any] | None:
        return self._opened(secret, self._valkey.get_bytes)

    def take(self, secret: str) -> dict[str, Any] | None:
        """The value, removed: of two who ask, one gets it."""
        return self._opened(secret, self._valkey.take_bytes)

    def prolong(self, secret: str, ttl_s: float) -> None:
        """Keep for so long what is there; the value itself may have been replaced meanwhile."""
        self._valkey.prolong(self._place(secret), ttl_s)

    def forget(self, secret: str) -> None:
        self._valkey.forget(self._place(secret))

    def _opened(self, secret: str, read: Callable[[str], bytes | None]) -> dict[str, Any] | None:
        place = self._place(secret)
        sealed = read(place) or b""
        try:
            value: dict[str, Any] = orjson.loads(self._cipher.decrypt(sealed[:12], sealed[12:], place.encode()))
        except (InvalidTag, ValueError, TypeError):
            return None  # nothing there, or not of our making
        return value

    def _place(self, secret: str) -> str:
        return f"smart:{self._kind}:{hashlib.sha256(secret.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Session:
    """A clinician who is signed in, and the one patient that the EHR opened us for."""

    fhir_server: str
    patient_id: str
    user_issuer: str
    user_subject: str
    fhir_user: str
    """``Practitioner/{id}`` on that FHIR server; empty where it is not said, or of another server."""
    scope: str
    """As granted, which may be less than asked."""
    access_token: str = field(repr=False)
    expires: float
    """When the access token does, in seconds since 1970."""
    ends: float
    """When the session does, however often it is used; with its token, unless that can be renewed."""
    refresh_token: str = field(default="", repr=False)
    encounter_id: str = ""
    study: str = ""
    """``ImagingStudy/{id}`` that the EHR opened us on, on that FHIR server."""
    need_patient_banner: bool = True
    """Whether the EHR does not show the patient beside us."""
    intent: str = ""
    """What the EHR opened us for; we know none, and show the same page for all."""
    ehr_tenant: str = ""
    """The EHR's own word for the organisation."""
    prescreen_id: str = ""
    """The prescreen of the card that we were opened from."""
    roles: tuple[str, ...] = ()
    """See :class:`cds.registration.Role`."""
    link_expired: bool = False
    """Whether we were opened from a card whose link is too old, or not ours."""

    @property
    def patient(self) -> str:
        return f"Patient/{self.patient_id}"


class Sessions:
    """All of them, by the secret in the browser's cookie."""

    def __init__(self, valkey: Valkey, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._sealed = Sealed(valkey, key, "session")
        self._clock = clock

    def begin(self, session: Session) -> str:
        """Keep the session under a new secret."""
        secret = new_secret()
        self.keep(secret, session)
        return secret

    def get(self, secret: str | None) -> Session:
        """The session, which stays alive by this; :class:`SessionExpired` where there is none."""
        session = self.look(secret)
        self._sealed.prolong(str(secret), self._left(session))
        return session

    def look(self, secret: str | None) -> Session:
        """The same for what nobody did: a session is not kept alive by a page that is left open."""
        held = self._sealed.get(secret) if secret else None
        if secret is None or held is None:
            raise SessionExpired("there is no session")
        try:
            session = Session(**held | {"roles": tuple(held.get("roles", ()))})
        except TypeError:
            raise SessionExpired("the session is of another version of ours") from None
        if session.ends <= self._clock():
            self.end(secret)
            raise SessionExpired("the access token has expired")
        return session

    def end(self, secret: str) -> None:
        self._sealed.forget(secret)

    def keep(self, secret: str, session: Session) -> None:
        """Keep it under a secret that the browser has."""
        self._sealed.put(secret, asdict(session), self._left(session))

    def _left(self, session: Session) -> float:
        """Seconds for which it is kept, if it is not used before."""
        return max(1.0, min(IDLE_S, session.ends - self._clock()))
