"""Bytes to characters, by what was declared, what the bytes say themselves, and at last by what cannot fail."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def text(content: bytes, charset: str = "") -> str:
    """A byte order mark wins over ``charset``, as it does for HTML; a charset that does not fit is passed over."""
    marked = [encoding for mark, encoding in _MARKS if content.startswith(mark)]
    for encoding in (*marked, charset, "utf-8"):
        try:
            return content.decode(encoding)
        except (LookupError, UnicodeError, ValueError):
            continue
    # Windows-1252 is what mislabelled clinical text most often is; five of its bytes mean nothing.
    return content.decode("windows-1252", errors="replace")
