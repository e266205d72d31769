"""Notes that were de-identified lately, so that a new one among them does not cost the others anew.

Only what is left of a note is held, in the memory of one process, under a digest keyed for that process. Whom the
EHR knows is part of it: where somebody new is known, a name that stayed may have to go.
"""

from __future__ import annotations

import hmac
import secrets

import orjson

from cds.notes.deidentification.deidentified import Deidentified
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.store.recent import Recent

MOST = 500
"""Notes; 12 MB where each is as long as all together may be."""


class OnceDeidentified:
    """A :class:`Deidentifier` that is asked the same thing once. For any thread."""

    def __init__(self, deidentifier: Deidentifier) -> None:
        self._deidentifier = deidentifier
        self._key = secrets.token_bytes(32)
        self._recent: Recent[Deidentified] = Recent(MOST)

    def __call__(self, text: str, known: KnownIdentifiers) -> Deidentified:
        """Raise :class:`~cds.errors.NoteError` as the deidentifier does, which is asked again then."""
        asked = orjson.dumps((text, known), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        digest = hmac.digest(self._key, asked, "sha256").hex()
        return self._recent.get(digest) or self._recent.put(self._deidentifier.deidentify(text, known), digest)
