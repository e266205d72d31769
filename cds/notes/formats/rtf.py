"""RTF, by striprtf."""

from __future__ import annotations

from striprtf.striprtf import rtf_to_text

from cds.errors import NoteError

MAX_DEPTH = 200


def text(content: bytes) -> str:
    """The text of an RTF document; pictures and embedded objects are left out by striprtf."""
    source = content.decode("latin-1")  # RTF is seven-bit; \ansicpg and \'hh say the rest
    if _depth(source) > MAX_DEPTH:
        raise NoteError("the RTF document is nested too deeply")
    try:
        return str(rtf_to_text(source, errors="replace"))  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, IndexError, TypeError):
        raise NoteError("the RTF document cannot be read") from None


def _depth(source: str) -> int:
    depth = deepest = 0
    for character in source:
        if character == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif character == "}":
            depth -= 1
    return deepest
