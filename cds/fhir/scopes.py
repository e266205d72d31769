"""What a grant lets its bearer do (SMART App Launch 2.2, scopes-and-launch-context.html), in v1 and v2 syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

Context = Literal["patient", "user", "system"]
Interaction = Literal["read", "search"]

_SCOPE = re.compile(r"(patient|user|system)/([A-Z][A-Za-z]{1,63}|\*)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class Scope:
    """``{context}/{type}.{permissions}``."""

    context: str
    type: str
    permissions: str

    @classmethod
    def parse(cls, scope: str) -> Self | None:
        """None for what is no resource scope, or has a query, which is not enforced here."""
        found = _SCOPE.fullmatch(scope)
        return cls(found[1], found[2], _V1.get(found[3], found[3])) if found else None

    def allows(self, type: str, interaction: Interaction) -> bool:
        return self.type in (type, "*") and interaction[0] in self.permissions


def parse(granted: str) -> tuple[Scope, ...]:
    """The resource scopes in a space-separated grant."""
    return tuple(filter(None, map(Scope.parse, granted.split())))


def contexts(scopes: Iterable[Scope], type: str, interaction: Interaction) -> frozenset[str]:
    """The contexts in which the scopes allow it."""
    return frozenset(scope.context for scope in scopes if scope.allows(type, interaction))
