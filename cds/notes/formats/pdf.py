"""The text layer of a PDF, by pypdf. A scan has none and is refused: pictures of text are not read."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader, apply_configuration
from pypdf.errors import PyPdfError

from cds.errors import NoteError

MAX_PAGES = 50
SECONDS = 5.0
"""No page is begun later than this; what one page may cost is bounded by the limits below."""
_LIMITS: dict[str, Any] = {
    "maximum_declared_stream_length": 16_000_000,
    "zlib_maximum_output_length": 16_000_000,
    "lzw_maximum_output_length": 4_000_000,
    "run_length_maximum_output_length": 4_000_000,
    "array_based_stream_maximum_output_length": 16_000_000,
    "stream_decoding_work_maximum_length": 32_000_000,
    "stream_parsing_work_maximum_count": 400_000,
    "page_tree_maximum_entries": 5_000,
    "xform_maximum_invocations_per_extraction": 200,
}

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings may quote the document


def text(content: bytes) -> str:
    """The text of up to ``MAX_PAGES`` pages; raise :class:`NoteError` for a scan, or a file locked or broken."""
    try:
        with apply_configuration(**_LIMITS):
            reader = PdfReader(io.BytesIO(content), strict=False)
            if reader.is_encrypted and not reader.decrypt(""):
                raise NoteError("the PDF is locked with a password")
            read = "\n".join(_pages(reader))
    except NoteError:
        raise
    except (PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, RecursionError):
        raise NoteError("the PDF cannot be read") from None
    if not read.strip():
        raise NoteError("the PDF has no text layer: it may be a scan")
    return read


def _pages(reader: PdfReader) -> Iterator[str]:
    due = time.monotonic() + SECONDS
    for number, page in enumerate(reader.pages):
        if number >= MAX_PAGES or time.monotonic() > due:
            return
        yield page.extract_text()
