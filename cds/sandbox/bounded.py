"""What others send us over HTTP, no longer than we bargained for and no later."""

from __future__ import annotations

import time

import httpx

from cds.errors import BadAnswer, Unreachable


def read(response: httpx.Response, *, limit: int, seconds: float) -> bytes:
    """The body of a streamed response; :class:`BadAnswer` over ``limit`` bytes, :class:`Unreachable` too late."""
    due = time.monotonic() + seconds
    raw = bytearray()
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > limit:
            raise BadAnswer("the answer is too long")
        if time.monotonic() > due:
            raise Unreachable("the answer did not end in time")
    return bytes(raw)
