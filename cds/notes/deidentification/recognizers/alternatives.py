"""Long alternations, put so that a place where none fits is passed over quickly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import regex

_PART = regex.compile(r"\\.|\[(?:\\.|[^\]])*\]|.", regex.DOTALL)
_BEGINS_WITH_A_LETTER = regex.compile(r"[A-Za-z](?![?*+{])")
_GROUP = "(?:"


def by_letter(pattern: str) -> str:
    """The alternatives of ``pattern``, those that begin with the same letter together: ``ma(?:y|rch)|june``.

    It matches what ``pattern`` does: alternatives that begin with different letters never compete, and those that
    begin with anything but a letter keep their place among the others. All letters are of one case.
    """
    each = [flat for one in _alternatives(pattern) for flat in _flat(one)]
    runs = groupby(each, key=lambda one: bool(_BEGINS_WITH_A_LETTER.match(one)))
    return "|".join(one for plain, run in runs for one in (_together(list(run)) if plain else run))


def _together(alternatives: Sequence[str]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for one in alternatives:
        groups.setdefault(one[0], []).append(one[1:])
    for letter, rests in groups.items():
        behind = by_letter("|".join(rests)) if len(rests) > 1 else rests[0]
        yield letter + (f"{_GROUP}{behind})" if len(_alternatives(behind)) > 1 else behind)


def _alternatives(pattern: str) -> list[str]:
    """Those of the outermost level."""
    found, depth = [""], 0
    for part in _PART.findall(pattern):
        depth += (part == "(") - (part == ")")
        if part == "|" and not depth:
            found.append("")
        else:
            found[-1] += part
    return found


def _flat(one: str) -> Iterator[str]:
    """``(?:good|black) friday`` as the two that it stands for."""
    inner, rest = _leading_group(one)
    if not inner or rest.startswith(("*", "+", "{", "??", "?+")):
        yield one
        return
    behind = rest.removeprefix("?")
    for choice in _alternatives(inner):
        yield from _flat(choice + behind)
    if behind != rest:
        yield from _flat(behind)


def _leading_group(one: str) -> tuple[str, str]:
    """What stands in the group that ``one`` begins with, and behind it; nothing where it begins otherwise."""
    depth = at = 0
    for part in _PART.findall(one) if one.startswith(_GROUP) else ():
        at += len(part)
        depth += (part == "(") - (part == ")")
        if not depth:
            return one[len(_GROUP) : at - 1], one[at:]
    return "", one
