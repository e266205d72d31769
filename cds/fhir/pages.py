"""Where the next page of a search begins: a token that only we can read, so that its URL names no patient."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cds.errors import RequestError
from cds.store.search.find import Place

LIFETIME_S = 3600
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Page:
    """A search, and the place after which it goes on."""

    type: str
    pairs: tuple[tuple[str, str], ...]
    place: Place


class Pages:
    """Seals pages with a key of ours, each for the one who searched."""

    def __init__(self, secret: bytes) -> None:
        self._sealed = AESGCM(hashlib.sha256(b"fhir page" + secret).digest())

    def issue(self, page: Page, owner: str) -> str:
        body = orjson.dumps([int(time.time()) + LIFETIME_S, page.type, page.pairs, list(page.place)])
        nonce = os.urandom(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._sealed.encrypt(nonce, body, owner.encode())).decode()

    def read(self, token: str, owner: str) -> Page:
        """Raises :class:`RequestError` for a page that is not ours, not theirs, or too old."""
        try:
            raw = base64.urlsafe_b64decode(token)
            body = self._sealed.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except (ValueError, InvalidTag):
            raise RequestError("_page is none that was given to this client") from None
        expires, type, pairs, place = orjson.loads(body)
        if expires < time.time():
            raise RequestError("_page has expired; begin the search again")
        return Page(type, tuple((name, value) for name, value in pairs), Place(*place))
