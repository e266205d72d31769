"""What we ask to see, and whether a grant lets us (SMART App Launch 2.2, scopes-and-launch-context.html)."""

from __future__ import annotations

import re

ASKED = (
    "launch openid fhirUser patient/Patient.r patient/ImagingStudy.rs patient/DocumentReference.rs "
    "patient/DiagnosticReport.rs user/Patient.rs user/DiagnosticReport.u"
)

_RESOURCE = re.compile(r"(?:patient|user)/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


def may_read(granted: str, type_: str) -> bool:
    """Whether ``granted``, in v1 or v2 syntax, lets read the patient's resources of a type.

    A scope with a query (``patient/DocumentReference.rs?category=…``) is for some of them, and does not count.
    """
    return _may(granted, type_, "r")


def may_update(granted: str, type_: str) -> bool:
    """Whether ``granted`` lets change resources of a type."""
    return _may(granted, type_, "u")


def may_read_of_anyone(granted: str, type_: str) -> bool:
    """Whether ``granted`` lets read resources of a type of all patients whom the user may see."""
    return _may(" ".join(scope for scope in granted.split() if scope.startswith("user/")), type_, "r")


def _may(granted: str, type_: str, permission: str) -> bool:
    found = filter(None, map(_RESOURCE.fullmatch, granted.split()))
    return any(scope[1] in (type_, "*") and permission in _V1.get(scope[2], scope[2]) for scope in found)
