"""Word lists, one entry a line, ``#`` for comments."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def listed(name: str) -> frozenset[str]:
    """The words of ``{name}.txt``, casefolded."""
    return frozenset(word for line in _lines(name) for word in line.split())


@cache
def nicknames() -> dict[str, frozenset[str]]:
    """For a given name, the others that the same person goes by (in both directions)."""
    groups = [frozenset(line.split()) for line in _lines("nicknames")]
    return {
        name: frozenset().union(*(g for g in groups if name in g)) - {name} for group in groups for name in group
    }


@cache
def phrases(name: str) -> frozenset[str]:
    """The lines of ``{name}.txt``, casefolded."""
    return frozenset(_lines(name))


def _lines(name: str) -> list[str]:
    text = (files(__package__) / f"{name}.txt").read_text(encoding="utf-8")
    return [line.casefold() for line in text.splitlines() if line.strip() and not line.startswith("#")]
