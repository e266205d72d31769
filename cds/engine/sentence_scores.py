"""What a model said of sentences that it has read before: notes copy each other, and all say "No acute distress."

Of a sentence only a keyed digest is held, in memory, and the key goes with the process: neither the words nor who
they were of can be had from it. Sentences come here without identifiers.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

MOST = 20_000
"""Sentences; some 6 MB."""

Said = tuple[str, str]
"""The heading that a sentence stands under, and its words."""
Row = NDArray[np.float32]
"""A logit for each finding."""


class SentenceScores:
    """Of one version of one model, from any thread; what was not asked for longest is forgotten first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._key = secrets.token_bytes(32)
        self._rows: OrderedDict[bytes, Row] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, said: Iterable[Said]) -> dict[Said, Row]:
        """Those of ``said`` that were scored."""
        digests = {one: self._digest(one) for one in said}
        with self._lock:
            found = {one: self._rows[digest] for one, digest in digests.items() if digest in self._rows}
            for one in found:
                self._rows.move_to_end(digests[one])
        return found

    def keep(self, rows: Mapping[Said, Row]) -> None:
        digests = {self._digest(one): row for one, row in rows.items()}
        with self._lock:
            self._rows |= digests
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)

    def _digest(self, said: Said) -> bytes:
        # No heading has a line break, so no two that differ are written alike.
        return blake2b("\n".join(said).encode(), key=self._key, digest_size=16).digest()
