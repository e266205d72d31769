"""RTF, by striprtf, of whose input every part is taken that its expressions could be long about."""

from __future__ import annotations

import re

from striprtf.striprtf import rtf_to_text

from cds.errors import NoteError

MAX_DEPTH = 200
MAX_CHARS = 2_000_000
"""Without its pictures; some hundreds of pages."""
MAX_FONTS = 100

_PICTURE = re.compile(r"(?<![0-9a-f\s])[0-9a-f\s]{256,}", re.IGNORECASE)
_FONTS = re.compile(r"\{[^{}]*\\fonttbl")
_FONT = re.compile(r"\\f(\d{1,5})(?!\d)[^;]*?\\fcharset(\d{1,3})(?!\d)")


def text(content: bytes) -> str:
    """The text of an RTF document; pictures and embedded objects are left out, of links the address."""
    source = _PICTURE.sub(" ", content.decode("latin-1"))  # RTF is seven-bit; \ansicpg and \'hh say the rest
    if len(source) > MAX_CHARS:
        raise NoteError(f"the RTF document has more than {MAX_CHARS} characters")
    if _depth(source) > MAX_DEPTH:
        raise NoteError("the RTF document is nested too deeply")
    # A line break within an instruction means nothing to a reader, and keeps striprtf from rewriting links.
    plain = _with_short_font_table(source).replace("\\fldinst", "\n\\fldinst")
    try:
        return str(rtf_to_text(plain, errors="replace"))  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, IndexError, TypeError, OverflowError):
        raise NoteError("the RTF document cannot be read") from None


def _depth(source: str) -> int:
    depth = deepest = 0
    for brace in re.finditer(r"[{}]", source):
        depth += 1 if brace[0] == "{" else -1
        deepest = max(deepest, depth)
    return deepest


def _with_short_font_table(source: str) -> str:
    """The first font table reduced to what striprtf needs of it: number and charset of each font."""
    start = _FONTS.search(source)
    if not start:
        return source
    end = _end_of_group(source, start.end())
    entries = source[start.end() : end].split(";")[:MAX_FONTS]
    fonts = [found for entry in entries if (found := _FONT.search(entry[:300]))]
    table = "".join(rf"{{\f{font[1]}\fcharset{font[2]} x;}}" for font in fonts)
    return f"{source[: start.start()]}{{\\fonttbl{table}}}{source[end + 1 :]}"


def _end_of_group(source: str, begun: int) -> int:
    """Where the group that is open at ``begun`` closes."""
    depth = 1
    for brace in re.compile(r"[{}]").finditer(source, begun):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.start()
    return len(source)
