"""What we ask to see, and whether a grant lets us (SMART App Launch 2.2, scopes-and-launch-context.html)."""

from __future__ import annotations

import re

from cds.ehr.smart_configuration import SmartConfiguration

READ = {"Patient": "r", "ImagingStudy": "rs", "DocumentReference": "rs", "DiagnosticReport": "rs"}

_RESOURCE = re.compile(r"(?:patient|user)/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


def asked(configuration: SmartConfiguration, launch: str) -> str:
    """The scopes for a launch that begins with the scope ``launch``, as this EHR understands them.

    ``online_access`` is what a refresh token comes of.
    """
    capabilities = configuration.listed("capabilities")
    v1 = "permission-v1" in capabilities and "permission-v2" not in capabilities
    read = (f"patient/{type_}.{'read' if v1 else letters}" for type_, letters in READ.items())
    online = ["online_access"] if "permission-online" in capabilities else []
    return " ".join((launch, "openid", "fhirUser", *online, *read))


def may_read(granted: str, type_: str) -> bool:
    """Whether ``granted``, in v1 or v2 syntax, lets read the patient's resources of a type.

    A scope with a query (``patient/DocumentReference.rs?category=…``) is for some of them, and does not count.
    """
    found = filter(None, map(_RESOURCE.fullmatch, granted.split()))
    return any(scope[1] in (type_, "*") and "r" in _V1.get(scope[2], scope[2]) for scope in found)
