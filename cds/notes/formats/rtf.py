"""RTF, by striprtf, of whose input every part is taken that its expressions could be long about."""

from __future__ import annotations

import re

from striprtf.striprtf import rtf_to_text

from cds.errors import NoteError

MAX_DEPTH = 200
MAX_CHARS = 2_000_000
"""Without its pictures; some hundreds of pages."""
MAX_FONTS = 100

_TAKEN_OUT = "deleted|striked|strike|v"
"""RTF 1.9.1: a tracked deletion, text that is struck out once or twice, hidden text."""
_MARK = re.compile(
    rf"[{{}}]|\\(?:[\\{{}}]|(?P<out>{_TAKEN_OUT})(?:(?P<off>0)|1)?(?![a-z0-9-])|(?P<plain>plain)(?![a-z]))"
)
_PICTURE = re.compile(r"(?<![0-9a-f\s])[0-9a-f\s]{256,}", re.IGNORECASE)
_FONTS = re.compile(r"\{[^{}]*\\fonttbl")
_FONT = re.compile(r"\\f(\d{1,5})(?!\d)[^;]*?\\fcharset(\d{1,3})(?!\d)")


def text(content: bytes) -> str:
    """The text of an RTF document; pictures and embedded objects are left out, of links the address.

    So is what was struck out, deleted with its change tracked, or hidden: it says nothing any more.
    """
    source = _PICTURE.sub(" ", content.decode("latin-1"))  # RTF is seven-bit; \ansicpg and \'hh say the rest
    if len(source) > MAX_CHARS:
        raise NoteError(f"the RTF document has more than {MAX_CHARS} characters")
    if _depth(source) > MAX_DEPTH:
        raise NoteError("the RTF document is nested too deeply")
    # A line break within an instruction means nothing to a reader, and keeps striprtf from rewriting links.
    plain = _with_short_font_table(_without_taken_out(source)).replace("\\fldinst", "\n\\fldinst")
    try:
        read = str(rtf_to_text(plain, errors="replace"))  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, IndexError, TypeError, OverflowError):
        raise NoteError("the RTF document cannot be read") from None
    # RTF writes what is beyond 16 bits, an emoji say, as two halves, which are no characters.
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _without_taken_out(source: str) -> str:
    """``source`` with its groups as they are, less what stands where one of ``_TAKEN_OUT`` is on."""
    kept, at = [], 0
    around: list[frozenset[str]] = []
    out: frozenset[str] = frozenset()
    for mark in _MARK.finditer(source):
        kept += [] if out else [source[at : mark.start()]]
        at = mark.end()
        if mark[0] in ("{", "}") or not out:
            kept.append(mark[0])
        if mark[0] == "{":
            around.append(out)
        elif mark[0] == "}":
            out = around.pop() if around else frozenset()
        elif mark["out"]:
            out = out - {mark["out"]} if mark["off"] else out | {mark["out"]}
        elif mark["plain"]:
            out = frozenset()
    return "".join([*kept, "" if out else source[at:]])


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
