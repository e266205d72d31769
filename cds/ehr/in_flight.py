"""What several calls read of an EHR at the same moment is asked for once.

An EHR calls several hooks for one chart at the same moment, with one token and often without prefetch. Who asks
for what is under way waits for that answer; no answer is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future

import httpx

from cds.errors import Unreachable


class InFlight:
    """The requests that are under way in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[httpx.Response]] = {}

    def __call__(
        self, key: Hashable, ask: Callable[[], httpx.Response], remaining: Callable[[], float]
    ) -> httpx.Response:
        """What ``ask`` returns or raises, here or where it was asked first; ``key`` tells all it depends on.

        ``remaining``: the seconds that the caller has. Raises :class:`Unreachable` where the other takes longer;
        where it is the other that had less, it is asked again.
        """
        mine: Future[httpx.Response] = Future()
        while (first := self._first(key, mine)) is not mine:
            try:
                return first.result(remaining())
            except TimeoutError:
                raise Unreachable("there was no answer in time") from None
            except CancelledError:
                continue
        try:
            answer = ask()
        except BaseException as error:
            self._over(key)
            if remaining() > 0:
                mine.set_exception(error)
            else:
                mine.cancel()
            raise
        self._over(key)
        mine.set_result(answer)
        return answer

    def _first(self, key: Hashable, mine: Future[httpx.Response]) -> Future[httpx.Response]:
        with self._lock:
            return self._asked.setdefault(key, mine)

    def _over(self, key: Hashable) -> None:
        """Before anybody is told: who is told to ask again must not find it."""
        with self._lock:
            del self._asked[key]
