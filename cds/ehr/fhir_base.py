"""Addresses on one FHIR server (FHIR R4, "Service Base URL"): what lies below the base, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from cds.ehr.datatypes import ID, TYPE, relative_reference
from cds.errors import NotAllowed
from cds.registration import origin

_DISGUISES = ("..", "%2e", "%2f", "%5c", "\\", "//")
"""What lets a path mean another one to the server than it does to us."""

_URI = re.compile(r"[\x21-\x7e]{1,8192}")
"""The characters of RFC 3986, and more of them than any server's page needs."""


def within(base: str, url: str) -> bool:
    """Whether ``url`` is ``base`` or below it: same origin, and a path that cannot climb out.

    Raises :class:`NotAllowed` for what is no http(s) URL, or carries a user name.
    """
    if origin(url) != origin(base):
        return False
    path, root = urlsplit(url).path, urlsplit(base).path.rstrip("/")
    if any(disguise in path.lower() for disguise in _DISGUISES):
        return False
    return path == root or path.startswith(root + "/")


@dataclass(frozen=True, slots=True)
class FhirBase:
    """The base URL of a FHIR server, without a slash at its end."""

    url: str

    def type(self, type_: str) -> str:
        """``[base]/[type]``; raises :class:`NotAllowed` for what is no type name."""
        if not TYPE.fullmatch(type_):
            raise NotAllowed("that is not the name of a FHIR resource type")
        return f"{self.url}/{type_}"

    def instance(self, type_: str, id_: str) -> str:
        """``[base]/[type]/[id]``; raises :class:`NotAllowed` for what is no FHIR id."""
        if not ID.fullmatch(id_):
            raise NotAllowed(f"that is not a FHIR id of a {type_}" if TYPE.fullmatch(type_) else "not a FHIR id")
        return f"{self.type(type_)}/{id_}"

    def link(self, url: str) -> str:
        """The absolute address of a Bundle's link, which must lie on this base, else :class:`NotAllowed`."""
        if not _URI.fullmatch(url):
            raise NotAllowed("a link is no URL")
        try:
            absolute = urljoin(f"{self.url}/", url)
        except ValueError:
            raise NotAllowed("a link is no URL") from None
        if not within(self.url, absolute):
            raise NotAllowed("a link leads away from the FHIR server")
        return absolute

    def resolve(self, reference: str) -> tuple[str, str]:
        """Type and id of a literal reference (FHIR R4, "Literal References"): relative, or below this base.

        Raises :class:`NotAllowed` for a reference to anywhere else: contained, logical, another server.
        """
        found = relative_reference(reference.removeprefix(f"{self.url}/"))
        if found is None:
            raise NotAllowed("a reference does not lead to this FHIR server")
        return found
