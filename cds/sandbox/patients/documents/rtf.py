r"""Rich Text Format 1.9, as word processors leave it: font and colour tables, escapes, \u characters."""

from __future__ import annotations

from collections.abc import Iterable

from cds.sandbox.patients.documents.sections import Section

_HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fmodern Courier New;}}"
    r"{\colortbl;\red0\green0\blue0;\red31\green73\blue125;}"
    r"{\info{\title Progress note}{\author Dictation system}}\viewkind4\uc1\fs20"
)


def rtf(title: str, body: Iterable[Section]) -> bytes:
    """Bold headings and plain paragraphs, in ASCII as the format asks."""
    parts = [_HEAD, rf"\pard\b\fs28 {_escaped(title)}\b0\fs20\par"]
    for section in body:
        if section.heading:
            parts.append(rf"\pard\sb120\cf2\b {_escaped(section.heading)}\b0\cf1\par")
        parts += [rf"\pard\sa80 {_escaped(paragraph)}\par" for paragraph in section.paragraphs]
    return ("\n".join(parts) + "\n}").encode("ascii")


def _escaped(text: str) -> str:
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    if character in "\\{}":
        return "\\" + character
    if ord(character) < 128:
        return character
    latin = character.encode("cp1252", "ignore")
    if latin:
        return f"\\'{latin[0]:02x}"
    units = character.encode("utf-16-le")
    words = [int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)]
    return "".join(rf"\u{word}?" for word in words)
