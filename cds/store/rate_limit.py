"""How often one caller may call (RFC 6585 §4), counted by all workers together.

While Valkey is away nothing is counted and nobody is held back: the replay check has shut the door by then.
"""

from __future__ import annotations

import math
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Protocol

from cds.errors import TooManyRequests
from cds.store.valkey import Window

MINUTE_S = 60.0
FAILURES_PER_MINUTE = 60
"""How many calls of one address may fail authentication: each writes to the audit trail, which never forgets."""


class Counts(Protocol):
    """Counts, for all workers together."""

    def count(self, key: str, window_s: float) -> Window | None: ...


class RateLimit:
    """At most ``per_minute`` calls of one caller in a minute that begins with its first; 0: any number."""

    def __init__(self, counts: Counts, name: str, per_minute: int) -> None:
        self._counts = counts
        self._name = name
        self._per_minute = per_minute

    def check(self, caller: str) -> None:
        """Count one call of ``caller``; raise :class:`Exceeded` where it is one too many."""
        if self._per_minute < 1:
            return
        window = self._counts.count(f"rate:{self._name}:{caller}", MINUTE_S)
        if window and window.count > self._per_minute:
            raise Exceeded(
                f"more than {self._per_minute} calls in a minute",
                retry_after_s=max(1, math.ceil(window.seconds_left)),
                first=window.count == self._per_minute + 1,
            )


class Exceeded(TooManyRequests):
    """One call too many."""

    def __init__(self, message: str, *, retry_after_s: int, first: bool) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.first = first
        """Whether this is the first refusal of its minute: the one that the audit trail keeps."""


def failures_limit(counts: Counts, per_minute: int) -> RateLimit:
    """The limit of calls that fail authentication, never above that of calls that do not; 0: none either."""
    return RateLimit(counts, "address", min(FAILURES_PER_MINUTE, per_minute))


def network(address: str | None) -> str:
    """The address as one caller: an IPv6 host owns the whole /64 that it stands in (RFC 4291 §2.5.4)."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return "unknown"
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Network((ip, 64), strict=False))
