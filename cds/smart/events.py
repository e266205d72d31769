"""``GET /smart/events``: server-sent events that say when a page is no longer what it would be if loaded now.

Each holds a thread, so there are few at once, and none for long: a browser asks again by itself (HTML,
"Server-sent events"), and where there is no room it is told how things stand, and to come back later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from flask import Response, stream_with_context

from cds.errors import SightlineError

LASTS_S = 25.0
LOOKS_EVERY_S = 1.0
COME_BACK_MS = 2000
NO_ROOM_MS = 10_000


class Streams:
    """Streams of what ``version()`` says; at most ``room`` of them at once, each for ``lasts_s`` seconds."""

    def __init__(self, room: int, lasts_s: float = LASTS_S) -> None:
        self._room = threading.BoundedSemaphore(room)
        self._lasts_s = lasts_s

    def __call__(self, version: Callable[[], str]) -> Response:
        """A ``version`` event at once and for each change, an ``over`` event where ``version()`` refuses."""
        events = stream_with_context(self._events(version))
        return Response(events, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})

    def _events(self, version: Callable[[], str]) -> Iterator[str]:
        if not self._room.acquire(blocking=False):
            yield f"retry: {NO_ROOM_MS}\n{_event(version)}"
            return
        try:
            yield f"retry: {COME_BACK_MS}\n"
            yield from self._changes(version)
        finally:
            self._room.release()

    def _changes(self, version: Callable[[], str]) -> Iterator[str]:
        until, said = time.monotonic() + self._lasts_s, ""
        while time.monotonic() < until:
            event = _event(version)
            # A comment where nothing is new: it is how a browser that is gone is noticed.
            yield event if event != said else ":\n\n"
            said = event
            if event == OVER:
                return
            time.sleep(LOOKS_EVERY_S)


OVER = "event: over\ndata: \n\n"


def _event(version: Callable[[], str]) -> str:
    try:
        return f"event: version\ndata: {version()}\n\n"
    except SightlineError:
        return OVER
