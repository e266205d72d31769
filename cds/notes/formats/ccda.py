"""C-CDA: the narrative of each section (HL7 CDA R2, 4.3.5), without the header, which says who the patient is.

Parsed by defusedxml: a document type declaration, and with it every entity, is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from cds.errors import NoteError
from cds.notes.formats import charset
from cds.notes.formats.blocks import check, heading, lines
from cds.notes.sections import kind_of

_NAMESPACE = "{urn:hl7-org:v3}"
ROOT = f"{_NAMESPACE}ClinicalDocument"
LOINC = "2.16.840.1.113883.6.1"

TITLES = {
    "10154-3": "Chief complaint",
    "10157-6": "Family history",
    "10160-0": "Medications",
    "10164-2": "History of present illness",
    "10187-3": "Review of systems",
    "10210-3": "General status",
    "11329-0": "Past medical history",
    "11348-0": "Past medical history",
    "11369-6": "Immunizations",
    "11450-4": "Problem list",
    "11493-4": "Hospital discharge studies",
    "11535-2": "Discharge diagnosis",
    "18776-5": "Plan",
    "18782-3": "Findings",
    "18785-6": "Reason for study",
    "19005-8": "Impression",
    "29299-5": "Reason for visit",
    "29545-1": "Physical exam",
    "29762-2": "Social history",
    "30954-2": "Results",
    "42348-3": "Advance directives",
    "46239-0": "Chief complaint and reason for visit",
    "46240-8": "Encounters",
    "46264-8": "Medical equipment",
    "47519-4": "Procedures",
    "48765-2": "Allergies",
    "48768-6": "Insurance",
    "51847-2": "Assessment and plan",
    "51848-0": "Assessment",
    "8648-8": "Hospital course",
    "8716-3": "Vital signs",
}
"""LOINC codes of sections (C-CDA R2.1 and DICOM PS3.20), each as a heading that a reader knows."""

_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")


@dataclass(frozen=True, slots=True)
class Unstructured:
    """The body of a CDA document that is itself a document of another kind (``nonXMLBody``)."""

    content: bytes
    content_type: str


def read(content: bytes, declared: str = "") -> str | Unstructured:
    """Section titles and text, or the document inside; raise :class:`NoteError` for what is not C-CDA.

    ``declared`` is the charset as said outside of the document.
    """
    root = _root(content, declared)
    if root.tag != ROOT:
        raise NoteError("the XML document is not a CDA ClinicalDocument")
    body = root.find(f"{_NAMESPACE}component/{_NAMESPACE}nonXMLBody/{_NAMESPACE}text")
    if body is not None:
        return _unstructured(body)
    return "\n\n".join(part for section in root.iter(f"{_NAMESPACE}section") if (part := _section(section)))


def _root(content: bytes, declared: str) -> Any:
    """By the document's own encoding, else by whatever encoding it can be."""
    try:
        return _parsed(content)
    except (ParseError, ValueError, LookupError):
        pass
    try:
        return _parsed(_DECLARATION.sub("", charset.text(content, declared), count=1))
    except (ParseError, ValueError, LookupError):
        raise NoteError("the XML document is not well formed") from None


def _parsed(source: str | bytes) -> Any:
    check(source)
    try:
        return fromstring(source, forbid_dtd=True)
    except DefusedXmlException:
        raise NoteError("the XML document declares a document type, which is refused") from None


def _section(section: Element) -> str:
    """The section's own title and narrative; sections within it come in their turn."""
    text = section.find(f"{_NAMESPACE}text")
    narrative = lines(text) if text is not None else ""
    title = _title(section)
    return "\n".join(filter(None, (heading(title) if title else "", narrative)))


def _title(section: Element) -> str:
    """What its author called it, if that says what it is; else what its code means."""
    code, title = (section.find(f"{_NAMESPACE}{name}") for name in ("code", "title"))
    written = lines(title).replace("\n", " ") if title is not None else ""
    if code is None or code.get("codeSystem") != LOINC or kind_of(written):
        return written
    return TITLES.get(code.get("code", ""), written)


def _unstructured(body: Element) -> Unstructured:
    if body.get("compression"):
        raise NoteError("the CDA document's body is compressed, which is refused")
    text = "".join(body.itertext())
    try:
        content = (
            base64.b64decode("".join(text.split()), validate=True)
            if body.get("representation") == "B64"
            else text.strip().encode()
        )
    except (binascii.Error, ValueError):
        raise NoteError("the CDA document's body is not base64") from None
    return Unstructured(content, body.get("mediaType", "text/plain"))
