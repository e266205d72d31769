"""The keys that we sign with, one after another: each is published before it signs, and for a while after.

SMART App Launch 2.2, client-confidential-asymmetric.html, "Registering a client"; RFC 7517. One of each algorithm
signs at a time. An EHR that keeps our key set for as long as it may has each key before it meets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from joserfc.jwk import ECKey, Key, KeySet, RSAKey

ALGORITHMS = ("ES384", "RS384")
"""SMART's two, the better first."""
AHEAD_S = 24 * 3600
"""A new key is published for so long before it signs: the service must be restarted within it."""
AFTER_S = 24 * 3600
"""So long a key stays published when the next one signs."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """All of them, the newest first; what any of them signed can be verified."""

    all: KeySet = field(repr=False)
    made: Mapping[str, float] = field(default_factory=dict)
    """When each ``kid`` was made, in seconds since 1970; a key that is not among them is older than all."""

    def signer(self, algorithms: Collection[str], now: float) -> Key:
        """The key that signs now, by the best of our algorithms that is among these; empty: of all."""
        signing = {str(key.alg): key for key in self.all.keys if self._signs(key, now)}
        best = [algorithm for algorithm in ALGORITHMS if algorithm in signing]
        return signing[next((algorithm for algorithm in best if algorithm in algorithms), best[0])]

    def published(self, now: float) -> dict[str, Any]:
        """The public keys (RFC 7517) that others should know now; every one names its ``kid`` and ``alg``."""
        keys = [key for key in self.all.keys if not self.is_over(key, now)]
        return cast(dict[str, Any], KeySet(keys).as_dict(private=False))

    def is_over(self, key: Key, now: float) -> bool:
        """Whether nobody need know it any more, but for what it signed long ago."""
        return any(self._since(later) + AFTER_S <= now for later in self._later(key))

    def _signs(self, key: Key, now: float) -> bool:
        begun = self._since(key) <= now or key is self._first(key)
        return begun and not any(self._since(later) <= now for later in self._later(key))

    def _since(self, key: Key) -> float:
        """From when it signs."""
        return self.made.get(str(key.kid), 0.0) + AHEAD_S

    def _later(self, key: Key) -> Iterator[Key]:
        for other in self.all.keys:
            if other is key:
                return
            if other.alg == key.alg:
                yield other

    def _first(self, key: Key) -> Key:
        """There was none before it to sign in its place."""
        return [other for other in self.all.keys if other.alg == key.alg][-1]


def generated() -> list[Key]:
    """A new key for each algorithm."""
    return [
        ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, private=True, auto_kid=True),
        RSAKey.generate_key(3072, {"alg": "RS384", "use": "sig"}, private=True, auto_kid=True),
    ]
