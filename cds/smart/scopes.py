"""What we ask to see, and whether a grant lets us (SMART App Launch 2.2, scopes-and-launch-context.html)."""

from __future__ import annotations

import re

from cds.ehr.smart_configuration import SmartConfiguration

READ = (
    "patient/Patient.r",
    "patient/ImagingStudy.rs",
    "patient/DocumentReference.rs",
    "patient/Binary.r",
    "patient/DiagnosticReport.rs",
)
WHERE_LISTED = ("patient/Composition.r", "patient/Endpoint.r")
"""A note that is a Composition, in its own words, and where another PACS is. Asked for where the EHR lists such a
scope: one that knows none may refuse the launch."""
OF_THE_USER = ("user/Patient.rs", "user/DiagnosticReport.u")
"""The names on the worklist, and the right to sign."""

_RESOURCE = re.compile(r"(?:patient|user)/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


def asked(configuration: SmartConfiguration, launch: str) -> str:
    """The scopes for a launch that begins with the scope ``launch``, as this EHR understands them.

    ``online_access`` is what a refresh token comes of.
    """
    capabilities = configuration.listed("capabilities")
    v1 = "permission-v1" in capabilities and "permission-v2" not in capabilities
    known = " ".join(configuration.listed("scopes_supported"))
    listed = [scope for scope in WHERE_LISTED if may_read(known, _type(scope))]
    data = [_in_v1(scope) if v1 else scope for scope in (*READ, *listed, *OF_THE_USER)]
    online = ["online_access"] if "permission-online" in capabilities else []
    return " ".join((launch, "openid", "fhirUser", *online, *data))


def _type(scope: str) -> str:
    return scope.partition("/")[2].partition(".")[0]


def _in_v1(scope: str) -> str:
    name, _, permissions = scope.partition(".")
    return f"{name}.{'write' if permissions == 'u' else 'read'}"


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
