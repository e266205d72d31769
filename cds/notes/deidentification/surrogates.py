"""What stands in an identifier's place: typed, the same for the same person, of no use without the key."""

from __future__ import annotations

import base64
import hashlib
import hmac

import regex

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import shifted

TAG = regex.compile(r"\[(?P<category>" + "|".join(Category) + r")-[A-Z2-7]{6}\]")
"""A surrogate as it stands in de-identified text, such as ``[NAME-K7Q2XA]``."""
MAX_SHIFT = 365
OVER_89 = "90+"


class Surrogates:
    """Surrogates for the notes of one ``subject`` (any stable identifier of the patient), by HMAC-SHA-256.

    Two patients share no surrogate even where they share a name, so that notes cannot be joined across patients.
    """

    def __init__(self, key: bytes, subject: str) -> None:
        self._key = hmac.digest(key, f"subject:{subject}".encode(), hashlib.sha256)
        number = int.from_bytes(self._digest("shift")[:8], "big")
        days = number % (2 * MAX_SHIFT)
        self._days = days - MAX_SHIFT if days < MAX_SHIFT else days - MAX_SHIFT + 1
        """-365 to 365 and never 0: all dates of a patient move alike, so that intervals stay."""

    def replace(self, category: Category, original: str, *, year: int) -> str:
        """The surrogate of ``original``; ``year`` is that of a date which states none."""
        if category is Category.AGE:
            return OVER_89
        if category is Category.DATE and (moved := shifted(original, self._days, year=year)):
            return moved
        return self.tag(category, " ".join(original.casefold().split()))

    def tag(self, category: Category, meaning: str) -> str:
        """``[CATEGORY-ABC234]`` for whatever ``meaning`` stands for."""
        code = base64.b32encode(self._digest(f"{category}:{meaning}")[:5]).decode()[:6]
        return f"[{category}-{code}]"

    def _digest(self, what: str) -> bytes:
        return hmac.digest(self._key, what.encode(), hashlib.sha256)
