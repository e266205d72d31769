"""Access tokens on requests (RFC 6750, 2.1), to the server that each is for and to no other."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import httpx

from cds.ehr.fhir_base import within
from cds.errors import NotAllowed


@dataclass(frozen=True)
class Bearer(httpx.Auth):
    """Puts ``token`` on requests to ``base`` and below; raises :class:`NotAllowed` for any other address.

    It is that of a CDS Hooks call (CDS Hooks 2.0, "Passing the Access Token to the CDS Service"). Who has the
    same may do the same: two of them are equal.
    """

    token: str = field(repr=False)
    base: str

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        carry(request, self.token, self.base)
        yield request


class RenewableBearer(httpx.Auth):
    """Puts a token on requests to ``base`` and below; where it is refused, another one, once.

    ``token`` gives one that is good, and is not the one that was just refused (empty: none was).
    """

    def __init__(self, token: Callable[[str], str], base: str) -> None:
        self._token = token
        self._base = base

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._token("")
        carry(request, token, self._base)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            _discard(response)
            carry(request, self._token(token), self._base)
            yield request


def _discard(response: httpx.Response) -> None:
    """Hang up, and leave an empty body: httpx would read the whole of it, however long."""
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream.close()
    response.stream = httpx.ByteStream(b"")


def carry(request: httpx.Request, token: str, base: str) -> None:
    """Put ``token`` on ``request`` (RFC 6750, 2.1), if its address lies on ``base``, else :class:`NotAllowed`."""
    if not within(base, str(request.url)):
        raise NotAllowed("the access token is not for that address")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise NotAllowed("the access token holds characters that a header cannot")
    request.headers["Authorization"] = f"Bearer {token}"
