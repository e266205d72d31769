"""FHIR R4 data types as they come in JSON from somebody else: every accessor copes with the wrong shape.

An element that is absent or of another JSON type reads as empty, so that a broken resource is passed over and
never ends a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

Resource = dict[str, Any]
"""A FHIR resource, or an element of one, as orjson reads it."""

TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9.\-]{1,64}")
"""FHIR R4 ``id``, less ``.`` and ``..``, which are no names in a URL."""


def string(element: Mapping[str, Any], name: str) -> str:
    """The string in ``name``, else the empty string."""
    value = element.get(name)
    return value if isinstance(value, str) else ""


def element(parent: Mapping[str, Any], name: str) -> Resource:
    """The element in ``name``, else an empty one."""
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def elements(parent: Mapping[str, Any], name: str) -> list[Resource]:
    """The repeating element in ``name``; what is in the list but no element is left out."""
    value = parent.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def reference(parent: Mapping[str, Any], name: str) -> str:
    """The literal reference of the Reference in ``name``, else the empty string."""
    return string(element(parent, name), "reference")


def references(parent: Mapping[str, Any], name: str) -> list[str]:
    """The literal references of the repeating Reference in ``name``."""
    return [found for item in elements(parent, name) if (found := string(item, "reference"))]


def relative_reference(text: str) -> tuple[str, str] | None:
    """Type and id of ``Type/id`` or ``Type/id/_history/version``, else ``None``."""
    type_, _, rest = text.partition("/")
    id_, *history = rest.split("/")
    versioned = len(history) == 2 and history[0] == "_history" and ID.fullmatch(history[1])
    if TYPE.fullmatch(type_) and ID.fullmatch(id_) and (versioned or not history):
        return type_, id_
    return None


def instance(reference: str) -> str:
    """``Type/id`` at the end of a reference or a Location header, less the version; empty where it names none.

    Servers behind a proxy name themselves by another host: only the end of the path is believed.
    """
    try:
        path = urlsplit(reference).path
    except ValueError:
        return ""
    relative = relative_reference("/".join(path.partition("/_history/")[0].split("/")[-2:]))
    return "/".join(relative) if relative else ""


def local_reference(resource: Mapping[str, Any]) -> str:
    """``Type/id`` of a resource."""
    return f"{string(resource, 'resourceType')}/{string(resource, 'id')}"


def codes(concept: Mapping[str, Any]) -> Iterator[str]:
    """The codes of a CodeableConcept, whatever their systems."""
    return (code for coding in elements(concept, "coding") if (code := string(coding, "code")))


def words(concept: Mapping[str, Any]) -> str:
    """What a CodeableConcept, or a Coding, says to a person, in one line."""
    displays = (string(coding, "display") for coding in elements(concept, "coding"))
    return " ".join(filter(None, (string(concept, "text"), string(concept, "display"), *displays)))


def called(concept: Mapping[str, Any]) -> str:
    """What a CodeableConcept is called, in one line: its text, else the first display."""
    displays = (string(coding, "display") for coding in elements(concept, "coding"))
    return next((" ".join(text.split()) for text in (string(concept, "text"), *displays) if text.strip()), "")


def parse_datetime(text: str) -> datetime | None:
    """A FHIR ``date``, ``dateTime`` or ``instant``; a partial one is its first moment, without a zone UTC."""
    padded = text + {4: "-01-01", 7: "-01"}.get(len(text), "")
    try:
        moment = datetime.fromisoformat(padded)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
