"""How a key matches an attribute (PS3.4 C.2.2.2 "Attribute Matching", as PS3.18 8.3.4 asks for it)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword


def tag_of(name: str) -> str | None:
    """The tag (``00100020``) of an attribute given by keyword or tag; None where DICOM has no such attribute."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return name.upper()
    tag = tag_for_keyword(name)
    return None if tag is None else f"{tag:08X}"


def element_matches(tag: str, element: dict[str, Any] | None, key: str) -> bool:
    """Whether a DICOM JSON element has a value that matches the key; an empty key matches all."""
    if not key:
        return True
    values = [_text(value) for value in (element or {}).get("Value", [])]
    vr = _vr(tag)
    if vr == "UI":
        wanted = set(re.split(r"[,\\]", key))
        return any(value in wanted for value in values)
    if vr in ("DA", "TM", "DT") and "-" in key:
        low, _, high = key.partition("-")
        return any((not low or value >= low) and (not high or value <= high) for value in values)
    pattern = key.replace("[", "[[]")
    if vr == "PN":
        return any(fnmatchcase(value.casefold(), pattern.casefold()) for value in values)
    return any(fnmatchcase(value, pattern) for value in values)


def _text(value: Any) -> str:
    return str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)


def _vr(tag: str) -> str:
    try:
        return dictionary_VR(int(tag, 16))
    except KeyError:
        return "UN"
