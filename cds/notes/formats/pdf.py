"""The text layer of a PDF, by pypdf. A scan has none and is refused: pictures of text are not read."""

from __future__ import annotations

import io
import itertools
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

from pypdf import PageObject, PdfReader, apply_configuration
from pypdf.generic import DictionaryObject, PdfObject, StreamObject

from cds.errors import NoteError

MAX_PAGES = 50
SECONDS = 1.0
"""Of the CPU; reading ends with what there is by then. Looked at before every operator; one costs little."""
MAX_UPDATES = 200
"""How often a file may have been added to (ISO 32000-1, 7.5.6)."""
MAX_OBJECTS = 50_000
MAX_CMAPS = 1_000_000
"""Bytes and codes of a page's tables by which its fonts map codes to characters; usually some thousands."""
A_FONT = 1000
"""What one costs that has no table."""
_RANGES = re.compile(rb"beginbfrange(.*?)(?:endbfrange|\Z)", re.DOTALL)
_CODES = re.compile(rb"<([0-9A-Fa-f]{1,8})>\s*<([0-9A-Fa-f]{1,8})>\s*[<\[]")
_LIMITS: dict[str, Any] = {
    "maximum_declared_stream_length": 8_000_000,
    "zlib_maximum_output_length": 4_000_000,
    "zlib_maximum_recovery_input_length": 1_000_000,
    "lzw_maximum_output_length": 1_000_000,
    "run_length_maximum_output_length": 1_000_000,
    "array_based_stream_maximum_output_length": 4_000_000,
    "stream_decoding_work_maximum_length": 8_000_000,
    "stream_parsing_work_maximum_count": 150_000,
    "array_maximum_element_count": 20_000,
    "page_tree_maximum_entries": 5_000,
    "xform_maximum_invocations_per_extraction": 100,
}


class _TimeIsUp(Exception):
    """What has been read so far is all there will be."""


logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings may quote the document


def text(content: bytes) -> str:
    """The text of up to ``MAX_PAGES`` pages; raise :class:`NoteError` for a scan, or a file locked or broken."""
    if content.count(b"startxref") > MAX_UPDATES or content.count(b" obj") > MAX_OBJECTS:
        raise NoteError("the PDF has too many parts")
    try:
        with apply_configuration(**_LIMITS):
            reader = PdfReader(io.BytesIO(content), strict=False)
            if reader.is_encrypted and not reader.decrypt(""):
                raise NoteError("the PDF is locked with a password")
            read = "\n".join(_pages(reader))
    except NoteError:
        raise
    except Exception:  # whatever pypdf stumbles over: a broken PDF says nothing about us
        raise NoteError("the PDF cannot be read") from None
    if not read.strip():
        raise NoteError("the PDF has no text layer: it may be a scan")
    return read


def _pages(reader: PdfReader) -> Iterator[str]:
    due = time.thread_time() + SECONDS

    def look_at_the_clock(*_: object) -> None:
        if time.thread_time() > due:
            raise _TimeIsUp

    try:
        for page in itertools.islice(reader.pages, MAX_PAGES):
            look_at_the_clock()
            _check_fonts(page)
            yield page.extract_text(visitor_operand_before=look_at_the_clock)
    except _TimeIsUp:
        return


def _check_fonts(page: PageObject) -> None:
    """Their tables are read before the first operator is, where nobody looks at the clock."""
    total = 0
    for font in _fonts(page):
        total += _size(font)
        if total > MAX_CMAPS:
            raise NoteError("the PDF's fonts are too large")


def _fonts(page: PageObject) -> Iterator[object]:
    """Of the page and of the forms within it, each as often as it has a name."""
    around: list[object] = [page]
    seen: set[int] = set()
    while around:
        holder = around.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        resources = _resolved(holder, "/Resources")
        yield from _values(_resolved(resources, "/Font"))
        around += _values(_resolved(resources, "/XObject"))


def _size(font: object) -> int:
    """Bytes of its table and codes that are mapped; some for a font without one."""
    table = _resolved(font, "/ToUnicode")
    data = table.get_data() if isinstance(table, StreamObject) else b""
    ranges = _CODES.findall(b" ".join(_RANGES.findall(data)))
    return A_FONT + len(data) + sum(max(0, int(last, 16) - int(first, 16)) for first, last in ranges)


def _values(held: object) -> list[object]:
    return [_resolved(held, name) for name in held] if isinstance(held, DictionaryObject) else []


def _resolved(parent: object, name: str) -> object:
    """What a dictionary holds by ``name``, references followed; None for anything else."""
    held = parent.get(name) if isinstance(parent, DictionaryObject) else None
    return held.get_object() if isinstance(held, PdfObject) else None
