"""SMART App Launch 2.2 §6: what is granted of what is asked, never more than the client's registration.

``patient/Observation.rs`` asked, ``patient/*.r`` registered: ``patient/Observation.r`` granted. v1 permissions
(``.read``, ``.write``, ``.*``) are understood and granted in v2 syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_RESOURCE = re.compile(r"(patient|user|system)/([A-Z][A-Za-z]{1,63}|\*)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """``{context}/{type}.{permissions}``."""

    context: str
    type: str
    permissions: str

    @classmethod
    def parse(cls, scope: str) -> Self | None:
        """None for what is no resource scope, or has a query, which we do not enforce and so do not grant."""
        found = _RESOURCE.fullmatch(scope)
        if not found or not found[3]:
            return None
        return cls(found[1], found[2], _V1.get(found[3], found[3]))

    def within(self, limit: ResourceScope) -> ResourceScope | None:
        """The part of this scope that ``limit`` covers."""
        if self.context != limit.context or ("*" not in (self.type, limit.type) and self.type != limit.type):
            return None
        shared = "".join(letter for letter in self.permissions if letter in limit.permissions)
        return (
            ResourceScope(self.context, limit.type if self.type == "*" else self.type, shared) if shared else None
        )

    def __str__(self) -> str:
        return f"{self.context}/{self.type}.{self.permissions}"


def grant(asked: str, registered: Iterable[str]) -> tuple[str, ...]:
    """What of the space-separated ``asked`` the client may have, in the order asked, nothing twice."""
    limits = tuple(registered)
    granted: dict[str, None] = {}
    for scope in asked.split():
        wanted = ResourceScope.parse(scope)
        if wanted is None:
            granted |= dict.fromkeys(limit for limit in limits if limit == scope)
        else:
            granted |= dict.fromkeys(map(str, _covered(wanted, limits)))
    return tuple(granted)


def _covered(wanted: ResourceScope, limits: Iterable[str]) -> Iterable[ResourceScope]:
    """Each part of ``wanted`` that some limit covers; a part inside a wider one says nothing more."""
    parsed = filter(None, map(ResourceScope.parse, limits))
    parts = [part for limit in parsed if (part := wanted.within(limit))]
    return [part for part in parts if not any(part != other and part.within(other) == part for other in parts)]


def only(scopes: Iterable[str], *contexts: str) -> tuple[str, ...]:
    """``scopes`` less the resource scopes of other contexts than these."""
    kept = []
    for scope in scopes:
        resource = ResourceScope.parse(scope)
        if resource is None or resource.context in contexts:
            kept.append(scope)
    return tuple(kept)
