"""The access token of a CDS Hooks call (CDS Hooks 2.0, "Passing the Access Token to the CDS Service")."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from cds.ehr.fhir_base import within
from cds.errors import NotAllowed


class Bearer(httpx.Auth):
    """Puts ``token`` on requests to ``base`` and below; raises :class:`NotAllowed` for any other address."""

    def __init__(self, token: str, base: str) -> None:
        self._token = token
        self._base = base

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        carry(request, self._token, self._base)
        yield request


def carry(request: httpx.Request, token: str, base: str) -> None:
    """Put ``token`` on ``request`` (RFC 6750, 2.1), if its address lies on ``base``, else :class:`NotAllowed`."""
    if not within(base, str(request.url)):
        raise NotAllowed("the access token is not for that address")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise NotAllowed("the access token holds characters that a header cannot")
    request.headers["Authorization"] = f"Bearer {token}"
