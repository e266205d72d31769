"""A text PDF (ISO 32000-1): Helvetica, letter size, as many pages as it takes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from cds.sandbox.patients.documents.sections import Section

_LINES = 48
_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def pdf(title: str, body: Iterable[Section]) -> bytes:
    """One column of text in reading order; characters outside Windows-1252 become question marks."""
    lines = [title, "", *_lines(body)]
    pages = [lines[start : start + _LINES] for start in range(0, len(lines), _LINES)]
    numbers = [4 + 2 * index for index in range(len(pages))]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        _FONT,
    ]
    for number, page in zip(numbers, pages, strict=True):
        content = _content(page)
        box = f"/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {number + 1} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} >>".encode())
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    return _file(objects)


def _lines(body: Iterable[Section]) -> Iterable[str]:
    for section in body:
        if section.heading:
            yield section.heading.upper()
        for paragraph in section.paragraphs:
            yield from textwrap.wrap(paragraph, 92)
            yield ""


def _content(lines: Iterable[str]) -> bytes:
    shown = b"\n".join(b"(" + _escaped(line) + b") Tj T*" for line in lines)
    return b"BT /F1 10.5 Tf 14 TL 54 730 Td\n" + shown + b"\nET"


def _escaped(line: str) -> bytes:
    raw = line.encode("cp1252", "replace")
    return raw.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _file(objects: list[bytes]) -> bytes:
    """Header, numbered objects, cross-reference table and trailer (7.5)."""
    file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    size = len(objects) + 1
    head = f"xref\n0 {size}\n0000000000 65535 f \n".encode()
    tail = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n".encode()
    return file + head + table + tail
