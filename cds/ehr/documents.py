"""The content of a note: a DocumentReference's or a report's, inline or in a Binary; a Composition's narrative.

FHIR R4: documentreference.html, diagnosticreport.html, composition.html.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from html import escape

from cds.ehr.datatypes import Resource, element, elements, local_reference, parse_datetime, string, words
from cds.ehr.exchange import parse_object
from cds.ehr.fhir_client import FHIR_JSON, FhirClient
from cds.ehr.note_kinds import COMPOSITIONS, DOCUMENTS, REPORTS, kind_of, related
from cds.errors import BadAnswer, NotAllowed, NoteError, UpstreamError

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
MAX_SECTIONS = 200

READABLE = (
    "text/plain",
    "text/html",
    "application/xhtml+xml",
    "text/xml",
    "application/xml",
    "application/cda+xml",
    "application/hl7-cda+xml",
    "text/rtf",
    "application/rtf",
    "application/pdf",
)
"""The forms that notes come in, the one that loses least first."""

_UNSAID = ("", "application/octet-stream", "application/fhir+json", "application/json")


@dataclass(frozen=True, slots=True)
class Document:
    """A document's bytes as they were written, and what the EHR says about them."""

    reference: str
    """``DocumentReference/{id}``, or of another kind of note."""
    title: str
    written: date | None
    content_type: str
    """As the EHR states it, in lower case, with its charset if it has one: ``text/plain; charset=utf-8``."""
    content: bytes = field(repr=False)
    conclusion: str = field(default="", repr=False)
    """What a report concludes, as the EHR keeps it beside the report itself."""
    appends: tuple[str, ...] = ()
    """Of an addendum: the notes that it was written beneath, as their ``reference`` names them."""


def read(client: FhirClient, note: Resource, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> Document:
    """The content of a note, in the first of its formats that can be had.

    Several ``content``, or ``presentedForm``, are the same document in several formats. Raises
    :class:`~cds.errors.NoteError` where none can be read by us, else the :class:`~cds.errors.UpstreamError` that
    kept us from the last one tried; a report of which there is nothing else is its conclusion.
    """
    conclusion = string(note, "conclusion") if kind_of(note) is REPORTS else ""
    try:
        content_type, content = _narrative(note, max_bytes) or _first(client, note, max_bytes)
    except (NoteError, UpstreamError):
        if not conclusion.strip():
            raise
        content_type, content = "text/plain; charset=utf-8", conclusion.encode(errors="replace")
    appends = tuple(related(note, "appends"))
    return Document(local_reference(note), title(note), written(note), content_type, content, conclusion, appends)


def written(note: Resource) -> date | None:
    """The day of the note: of a document's attachment, else the day that the resource states."""
    attachments = _attached(note) if kind_of(note) is DOCUMENTS else []
    created = (parse_datetime(string(attachment, "creation")) for attachment in attachments)
    moment = next(filter(None, created), None) or kind_of(note).dated(note)
    return moment.date() if moment else None


def title(note: Resource) -> str:
    """What a person calls the note: its type, else its attachment's title. ``description`` may hold anything."""
    type_ = element(note, "code" if kind_of(note) is REPORTS else "type")
    displays = (string(coding, "display") for coding in elements(type_, "coding"))
    titles = (string(attachment, "title") for attachment in _attached(note))
    return next(filter(None, (string(type_, "text"), *displays, *titles)), "Clinical note")


def _first(client: FhirClient, note: Resource, max_bytes: int) -> tuple[str, bytes]:
    failure: NoteError | UpstreamError = NoteError("the document has no content in a format that can be read")
    for attachment in _attachments(note):
        try:
            return _content(client, attachment, max_bytes)
        except (NoteError, UpstreamError) as error:
            failure = error
    raise failure


def _narrative(note: Resource, max_bytes: int) -> tuple[str, bytes] | None:
    """A Composition's sections as one page of HTML, sections within sections after their own text."""
    if kind_of(note) is not COMPOSITIONS:
        return None
    parts = []
    for section in _sections(note):
        heading = string(section, "title") or words(element(section, "code"))
        parts.append(f"<h2>{escape(heading)}</h2>\n{string(element(section, 'text'), 'div')}")
    page = "\n".join(parts).encode(errors="replace")
    if len(page) > max_bytes:
        raise NoteError(f"the document is larger than {max_bytes} bytes")
    if not page:
        raise NoteError("the composition has no sections")
    return "text/html; charset=utf-8", page


def _sections(composition: Resource) -> Iterator[Resource]:
    """In reading order, ``MAX_SECTIONS`` at most."""
    stack = elements(composition, "section")[::-1]
    for _ in range(MAX_SECTIONS):
        if not stack:
            return
        section = stack.pop()
        stack += elements(section, "section")[::-1]
        yield section


def _attached(note: Resource) -> list[Resource]:
    return [element(c, "attachment") for c in elements(note, "content")] + elements(note, "presentedForm")


def _attachments(note: Resource) -> list[Resource]:
    """Those in a format that we read or that is not stated, best first."""
    readable = [attachment for attachment in _attached(note) if _media_type(attachment) in (*READABLE, *_UNSAID)]
    return sorted(readable, key=_rank)


def _rank(attachment: Resource) -> int:
    stated = _media_type(attachment)
    return READABLE.index(stated) if stated in READABLE else len(READABLE)


def _media_type(attachment: Resource) -> str:
    return media_type(string(attachment, "contentType"))


def media_type(content_type: str) -> str:
    """``type/subtype`` of a content type, in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def _content(client: FhirClient, attachment: Resource, max_bytes: int) -> tuple[str, bytes]:
    size = attachment.get("size")
    if isinstance(size, int) and size > max_bytes:
        raise NoteError(f"the document is larger than {max_bytes} bytes")
    stated = string(attachment, "contentType").lower()
    if data := string(attachment, "data"):
        return stated, decode(data, max_bytes)
    if not (url := string(attachment, "url")):
        raise NoteError("the document has neither content nor an address")
    type_, id_ = client.resolve(url)
    if type_ != "Binary":
        raise NotAllowed("the document's address leads to no Binary")
    answered, content = _binary(client, id_, stated or "*/*", max_bytes)
    return (answered.lower() if media_type(stated) in _UNSAID else stated), content


def _binary(client: FhirClient, id_: str, accept: str, max_bytes: int) -> tuple[str, bytes]:
    """The raw content, which most servers give by ``Accept``, else the Binary resource's ``data``."""
    try:
        answered, content = client.content("Binary", id_, accept, max_bytes=_encoded(max_bytes))
    except BadAnswer:
        answered = "application/fhir+xml"
    if media_type(answered) == "application/fhir+xml":
        answered, content = client.content("Binary", id_, FHIR_JSON, max_bytes=_encoded(max_bytes))
    if media_type(answered) in ("application/fhir+json", "application/json"):
        return _unwrap(content, max_bytes)
    if len(content) > max_bytes:
        raise NoteError(f"the document is larger than {max_bytes} bytes")
    return answered, content


def _unwrap(body: bytes, max_bytes: int) -> tuple[str, bytes]:
    binary = parse_object(body)
    if binary.get("resourceType") != "Binary":
        raise BadAnswer("reading a Binary was answered with another resource")
    return string(binary, "contentType"), decode(string(binary, "data"), max_bytes)


def decode(data: str, max_bytes: int) -> bytes:
    """A ``base64Binary``, which may hold white space; raises :class:`~cds.errors.NoteError`."""
    if len(data) > _encoded(max_bytes):
        raise NoteError(f"the document is larger than {max_bytes} bytes")
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("the document's content is not base64") from None


def _encoded(size: int) -> int:
    """About how many bytes ``size`` bytes take in base64 with line breaks, in a resource."""
    return size * 3 // 2 + 4096
