"""The body of an answer from a system that is not ours: no longer than we bargained for, and no later."""

from __future__ import annotations

import re
import time

import httpx

from cds.errors import BadAnswer, Unreachable

ASKED_FOR = {"Accept-Encoding": "gzip"}
"""Of the encodings only gzip: what one piece of it becomes is bounded, and the limit is on what comes out."""
_ENCODINGS = ("", "identity", "gzip")


def body(response: httpx.Response, *, limit: int, ends: float) -> bytes:
    """Read a streamed answer that was asked for with :data:`ASKED_FOR`.

    Raises :class:`BadAnswer` for more than ``limit`` bytes, or for another encoding: one within the other unfolds
    without bounds. Raises :class:`Unreachable` where it has not ended when ``time.monotonic()`` is at ``ends``.
    """
    if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        raise BadAnswer("the answer came in an encoding that was not asked for", status=response.status_code)
    if _announced(response) > limit:
        raise _too_large(limit, response)
    received = bytearray()
    # As it comes: gathered into pieces of one size, what drips would fill none before the time is looked at.
    for piece in response.iter_bytes():
        received += piece
        if len(received) > limit:
            raise _too_large(limit, response)
        if time.monotonic() > ends:
            raise Unreachable("the answer did not end in time")
    return bytes(received)


def _too_large(limit: int, response: httpx.Response) -> BadAnswer:
    return BadAnswer(f"the body of the answer is larger than {limit} bytes", status=response.status_code)


def _announced(response: httpx.Response) -> int:
    """The Content-Length; 0 where there is none, or one that cannot be meant."""
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else 0
