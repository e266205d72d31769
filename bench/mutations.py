"""Documents gone wrong: a few honest ones of each format, cut, spliced and stuffed, the same for the same seed."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

from cds.sandbox.patients.documents.ccda import ccda
from cds.sandbox.patients.documents.html import html
from cds.sandbox.patients.documents.pdf import pdf
from cds.sandbox.patients.documents.rtf import rtf
from cds.sandbox.patients.documents.sections import Section
from cds.sandbox.patients.people import EMERGENCY, Person

FORMATS = ("pdf", "rtf", "html", "xml")

_BODY = (
    Section(
        "History of present illness", ("Sudden pleuritic pain on the right, 38.5 °C, SpO2 88 % \u2013 worse.",) * 3
    ),
    Section("Family history", ("Father had emphysema.",)),
    Section("Impression", ("Right pneumothorax (large). No effusion.", "Chest tube placed.")),
)

_PERSON = Person(
    "p", "Ada", "Quill", "F", date(1950, 1, 2), "0555", "617-555-0100", "1 Alder Court", "Salem", "MA", "01970"
)

_TOKENS: dict[str, Sequence[bytes]] = {
    "pdf": (
        *(
            b"<<",
            b">>",
            b"[",
            b"]",
            b"(",
            b")",
            b"<",
            b">",
            b"{",
            b"}",
            b"/",
            b"%",
            b"\\",
            b"stream\n",
            b"endstream",
        ),
        *(
            b"obj",
            b"endobj",
            b" 0 R",
            b"/Kids",
            b"/Parent 2 0 R",
            b"/Length",
            b"/Filter/FlateDecode",
            b"xref",
            b"trailer",
        ),
        *(b"/Filter[/ASCIIHexDecode/LZWDecode/RunLengthDecode/ASCII85Decode]", b"/Encrypt 3 0 R", b"/Prev 0"),
        *(
            b"/Count 99999999",
            b"/Type/ObjStm/N 100000/First 1",
            b"/Predictor 15/Columns 999999999",
            b"BI ID ",
            b" Do ",
        ),
        *(
            b" Tj ",
            b" TJ ",
            b" Tf ",
            b" Td ",
            b" q " * 500,
            b" BT ",
            b"/F1 1 Tf ",
            b"/ToUnicode 3 0 R",
            b"\x00" * 64,
        ),
    ),
    "rtf": (
        *(
            b"{",
            b"}",
            b"\\",
            b"\\'",
            b"\\'zz",
            b"\\u-1 ",
            b"\\u99999?",
            b"\\u9999999999 ",
            b"\\bin9999999 ",
            b"\\bin",
        ),
        *(b"{\\pict ", b"{\\fonttbl ", b"\\f1\\fcharset0 ", b"\\fcharset99999", b"\\ansicpg65001", b"\\ansicpg0 "),
        *(
            b'{\\field{\\*\\fldinst{HYPERLINK "',
            b'"}}{ \\fldrslt ',
            b"\\uc99999 ",
            b"\\*",
            b"\\par",
            b"\\cell",
            b";",
        ),
    ),
    "html": (
        *(
            b"<",
            b">",
            b"</",
            b"/>",
            b"<!--",
            b"-->",
            b"<![CDATA[",
            b"<script>",
            b"<table>",
            b"<td>",
            b"<select>",
            b"<p ",
        ),
        *(
            b"&#x110000;",
            b"&#0;",
            b"&#xD800;",
            b"&amp",
            b"&" * 50,
            b'="',
            b"<meta charset=utf-7>",
            b"<meta charset=x>",
        ),
        *(b"<svg><math>", b"<plaintext>", b"<frameset>", b"<h1>", b"<?php", b"\x00", b"\xff\xfe", b"<a b='" * 30),
    ),
    "xml": (
        *(
            b"<",
            b">",
            b"</",
            b"/>",
            b"<!--",
            b"-->",
            b"<![CDATA[",
            b"]]>",
            b"<!DOCTYPE a [",
            b"<!ENTITY a 'b'>",
            b"&a;",
        ),
        *(b"&#x110000;", b"&#xD800;", b'xmlns:a="b" ', b"<section>", b"<text>", b"<component>", b"<nonXMLBody>"),
        *(
            b"<?xml version='1.1' encoding='utf-7'?>",
            b'encoding="cp037"',
            b"\x00",
            b"\xff\xfe",
            b"mediaType='text/xml'",
        ),
    ),
}


def mutants(of: str, count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` documents of one of :data:`FORMATS`, none of them likely to be whole."""
    chance = random.Random(f"{of}:{seed}")  # noqa: S311 - the same each time is what is asked for
    whole = honest(of)
    for _ in range(count):
        content = chance.choice(whole)
        for _ in range(chance.choice((1, 1, 2, 4, 8, 32))):
            content = chance.choice(_CHANGES)(content, whole, _TOKENS[of], chance)[:MAX_BYTES]
        yield _packed(content) if of == "pdf" and chance.random() < 0.3 else content


MAX_BYTES = 2 * 1024 * 1024


def honest(of: str) -> list[bytes]:
    """What is mutated."""
    if of == "pdf":
        plain = pdf("ED note", _BODY * 4)
        return [plain, _packed(plain), _mapped()]
    if of == "rtf":
        return [rtf("ED note", _BODY), rtf("ED note", _BODY).replace(b"\\viewkind4", b"{\\pict\\wmetafile8 0f0f}")]
    if of == "html":
        return [html("ED note", _BODY, {"Name": _PERSON.name}), b"<div><h2>Impression</h2><p>Clear.</div>"]
    structured = ccda("ED note", _BODY, _PERSON, EMERGENCY, datetime(2024, 5, 1, 8, tzinfo=UTC))
    body = f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{_coded()}</text></nonXMLBody>'
    start, _, rest = structured.partition(b"<structuredBody>")
    return [structured, start + body.encode() + rest.partition(b"</structuredBody>")[2]]


def _coded() -> str:
    return base64.b64encode(pdf("ED note", _BODY)).decode()


def _packed(plain: bytes) -> bytes:
    """The same PDF with its streams compressed, so that what is wrong in them comes out only there."""
    parts = plain.split(b"stream\n")
    for index in range(1, len(parts), 2):
        body, end = parts[index][:-3], parts[index][-3:]
        parts[index] = zlib.compress(body) + b"\n" + end
        parts[index - 1] = parts[index - 1].replace(b"/Length ", b"/Filter /FlateDecode /Length ")
    return b"stream\n".join(parts)


def _mapped() -> bytes:
    """A PDF whose font maps its codes to characters itself (ISO 32000-1, 9.10.3)."""
    cmap = (
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
        b"1 beginbfrange <20> <7E> <0020> endbfrange 1 beginbfchar <80> <20AC> endbfchar endcmap"
    )
    stream = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap)
    font = b"/Encoding /WinAnsiEncoding >>"
    return (
        pdf("ED note", _BODY)
        .replace(font, b"/ToUnicode 99 0 R >>")
        .replace(b"xref\n0", b"99 0 obj\n" + stream + b"\nendobj\nxref\n0", 1)
    )


Change = Callable[[bytes, Sequence[bytes], Sequence[bytes], random.Random], bytes]


def _flip(content: bytes, whole: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(min(len(changed), chance.choice((1, 4, 64)))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _insert(content: bytes, whole: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(tokens) * chance.choice((1, 1, 2, 50, 5000)) + content[at:]


def _cut(content: bytes, whole: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[end:] if chance.random() < 0.7 else content[:end]


def _repeat(content: bytes, whole: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    end = start + chance.randrange(2000)
    return content[:end] + content[start:end] * chance.choice((1, 3, 300)) + content[end:]


def _splice(content: bytes, whole: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(whole)
    return content[: chance.randrange(len(content) + 1)] + other[chance.randrange(len(other)) :]


def _number(content: bytes, whole: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> bytes:
    """One number becomes another: an offset, a length, a count, a code."""
    places = [at for at in range(len(content)) if content[at : at + 1].isdigit()]
    if not places:
        return content
    at = chance.choice(places)
    number = chance.choice(
        (b"0", b"-1", b"1", b"3", b"65535", b"2147483648", b"99999999999999999999", b"9" * 5000)
    )
    return content[:at] + number + content[at + 1 :]


_CHANGES: Sequence[Change] = (_flip, _insert, _cut, _repeat, _splice, _number)
