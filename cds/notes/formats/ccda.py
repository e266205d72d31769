"""C-CDA: the narrative of each section (HL7 CDA R2, 4.3.5), without the header, which says who the patient is.

Parsed by defusedxml: a document type declaration, and with it every entity, is refused.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from cds.errors import NoteError
from cds.notes.formats.blocks import lines

_NAMESPACE = "{urn:hl7-org:v3}"
ROOT = f"{_NAMESPACE}ClinicalDocument"


@dataclass(frozen=True, slots=True)
class Unstructured:
    """The body of a CDA document that is itself a document of another kind (``nonXMLBody``)."""

    content: bytes
    content_type: str


def read(content: bytes) -> str | Unstructured:
    """Section titles and text, or the document inside; raise :class:`NoteError` for what is not C-CDA."""
    try:
        root: Any = fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise NoteError("the XML document declares a document type, which is refused") from None
    except (ParseError, ValueError, LookupError):
        raise NoteError("the XML document is not well formed") from None
    if root.tag != ROOT:
        raise NoteError("the XML document is not a CDA ClinicalDocument")
    body = root.find(f"{_NAMESPACE}component/{_NAMESPACE}nonXMLBody/{_NAMESPACE}text")
    if body is not None:
        return _unstructured(body)
    return "\n\n".join(part for section in root.iter(f"{_NAMESPACE}section") if (part := _section(section)))


def _section(section: Element) -> str:
    """The section's own title and narrative; sections within it come in their turn."""
    parts = (section.find(f"{_NAMESPACE}{name}") for name in ("title", "text"))
    return "\n".join(text for part in parts if part is not None and (text := lines(part)))


def _unstructured(body: Element) -> Unstructured:
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
