"""What the browser holds for us: one secret to know it by at a launch, and another one for the session.

The first opens nothing: it only shows that a launch ends in the browser where it began. It outlives the launch,
because another may be under way.

In an EHR's iframe we are a third party, so behind TLS the cookies are ``SameSite=None; Secure; Partitioned`` and
bound to our host (``__Host-``). Beside the secret stands a digest of the FHIR base, so that a page which finds no
session any more still knows who may frame it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from flask import Response, request

from cds.registration import Registration, Registrations
from cds.settings import Settings

Name = Literal["sightline-launch", "sightline-session"]

LAUNCH: Name = "sightline-launch"
SESSION: Name = "sightline-session"

_VALUE = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9a-f]{16})")


class Cookies:
    """Reads and writes both."""

    def __init__(self, settings: Settings, registrations: Registrations) -> None:
        self._secure = settings.base_url.startswith("https://")
        self._registrations = {
            _digest(server): registration for registration in registrations for server in registration.fhir_servers
        }

    def secret(self, name: Name) -> str | None:
        """The secret that the browser sent, if it is of our making."""
        found = _VALUE.fullmatch(request.cookies.get(self._full(name), ""))
        return found[1] if found else None

    def registration(self) -> Registration | None:
        """The EHR that the browser last opened us from. Nobody vouches for it: good for nothing but framing."""
        values = (_VALUE.fullmatch(request.cookies.get(self._full(name), "")) for name in (LAUNCH, SESSION))
        return next((self._registrations.get(found[2]) for found in values if found), None)

    def set(self, response: Response, name: Name, secret: str, fhir_server: str) -> None:
        """For as long as the browser is open; how long it is good for is decided here, not there."""
        response.set_cookie(
            self._full(name),
            f"{secret}.{_digest(fhir_server)}",
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="None" if self._secure else "Lax",
            partitioned=self._secure,
        )

    def remove(self, response: Response, name: Name) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self._full(name),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="None" if self._secure else "Lax",
            partitioned=self._secure,
        )

    def _full(self, name: Name) -> str:
        # Browsers refuse __Host- without TLS, which only a development machine lacks.
        return f"__Host-{name}" if self._secure else name


def _digest(fhir_server: str) -> str:
    return hashlib.sha256(fhir_server.encode()).hexdigest()[:16]
