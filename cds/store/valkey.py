"""What may be lost: replay marks, sessions, counts of calls, hot scores, in Valkey (or Redis).

A value that cannot be read is a miss. A mark that cannot be set is an error: whoever asks fails closed.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cds.errors import Unreachable

log = logging.getLogger(__name__)

TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted in a span of time that began with the first."""

    count: int
    seconds_left: float


class Valkey:
    """A client that connects at the first use, so it may be made before a fork. Safe for many threads."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # One more try, at once: the server may have been restarted under an idle connection.
            retry=Retry(NoBackoff(), 1),
        )
        self._away = False

    def once(self, key: str, ttl_s: float) -> bool:
        """Whether ``key`` is seen for the first time in ``ttl_s`` seconds, among all processes.

        Raises :class:`Unreachable` where that cannot be known.
        """
        mark = secrets.token_bytes(16)
        try:
            if self._client.set(key, mark, nx=True, px=_milliseconds(ttl_s)):
                return True
            # The answer to a first try may have been lost, and ours be the mark that the second found.
            return bool(self._client.get(key) == mark)
        except redis.RedisError as error:
            raise Unreachable(f"Valkey did not answer ({type(error).__name__})") from None

    def count(self, key: str, window_s: float) -> Window | None:
        """Count one more under ``key``, among all processes; none where Valkey is away.

        The window opens with the first and closes ``window_s`` seconds later, however many follow.
        """
        transaction = self._client.pipeline()
        transaction.set(key, 0, nx=True, px=_milliseconds(window_s))
        transaction.incr(key)
        transaction.pttl(key)
        answer = self._or_none(transaction.execute)
        return None if answer is None else Window(answer[1], answer[2] / 1000)

    def get(self, key: str) -> Any | None:
        """The value, or none: it was never there, its time is over, or Valkey is away."""
        return _loaded(self._or_none(lambda: self._client.get(key)))

    def take(self, key: str) -> Any | None:
        """The value, removed: of many who ask, one gets it."""
        return _loaded(self._or_none(lambda: self._client.getdel(key)))

    def put(self, key: str, value: Any, ttl_s: float) -> None:
        """Keep a JSON value for ``ttl_s`` seconds, if Valkey is there."""
        raw = orjson.dumps(value)
        self._or_none(lambda: self._client.set(key, raw, px=_milliseconds(ttl_s)))

    def get_bytes(self, key: str) -> bytes | None:
        """What :meth:`put_bytes` put there, as :meth:`get`."""
        return _bytes(self._or_none(lambda: self._client.get(key)))

    def take_bytes(self, key: str) -> bytes | None:
        """The same, removed: of many who ask, one gets it."""
        return _bytes(self._or_none(lambda: self._client.getdel(key)))

    def put_bytes(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep ``value`` for ``ttl_s`` seconds, if Valkey is there."""
        self._or_none(lambda: self._client.set(key, value, px=_milliseconds(ttl_s)))

    def has(self, key: str) -> bool:
        """Whether there is something under ``key``; not while Valkey is away."""
        return bool(self._or_none(lambda: self._client.exists(key)))

    def prolong(self, key: str, ttl_s: float) -> None:
        """Keep what is there for ``ttl_s`` seconds from now."""
        self._or_none(lambda: self._client.pexpire(key, _milliseconds(ttl_s)))

    def forget(self, key: str) -> None:
        self._or_none(lambda: self._client.delete(key))

    def ping(self) -> None:
        """Raise :class:`Unreachable` where Valkey does not answer."""
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise Unreachable(f"Valkey did not answer ({type(error).__name__})") from None

    def close(self) -> None:
        self._client.close()

    def _or_none(self, command: Callable[[], Any]) -> Any | None:
        try:
            answer = command()
        except redis.RedisError as error:
            if not self._away:
                log.warning("Valkey is away (%s): going on without it", type(error).__name__)
            self._away = True
            return None
        if self._away:
            log.warning("Valkey is back")
        self._away = False
        return answer


def _bytes(raw: Any) -> bytes | None:
    return raw if isinstance(raw, bytes) else None


def _loaded(raw: bytes | None) -> Any | None:
    return None if raw is None else orjson.loads(raw)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
