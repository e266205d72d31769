"""A note's own text, cut where evidence stands in it: for the clinician alone, who may see the patient's note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cds.findings import Evidence, Place

_SURROGATE = re.compile(r"\[[a-z_]+\]")
"""As :func:`cds.notes.reading.prepare` leaves it in the text that was scored."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a note. Made for one page: it holds what the patient's record alone may keep."""

    text: str
    said: tuple[Evidence, ...] = ()
    """What the stretch is evidence of; empty for the rest of the note."""


def highlighted(text: str, evidence: Iterable[Evidence]) -> list[Piece]:
    """The whole of ``text``, as :func:`cds.notes.extraction.extract` gives it, in pieces.

    Evidence whose words do not stand at its place is passed over: better no mark than one on other words.
    """
    return list(_pieces(text, [one for one in evidence if _stands_in(text, one)]))


def _pieces(text: str, evidence: list[Evidence]) -> Iterator[Piece]:
    at = 0
    places = {one.place for one in evidence if one.place}
    for place in sorted(places, key=lambda place: (place.start, -place.end)):
        if place.start < at:
            continue  # within the stretch before it, which names this evidence too
        if place.start > at:
            yield Piece(text[at : place.start])
        yield Piece(text[place.start : place.end], tuple(one for one in evidence if _within(one.place, place)))
        at = place.end
    if at < len(text):
        yield Piece(text[at:])


def _within(inner: Place | None, outer: Place) -> bool:
    """Whether it begins there; one that goes beyond the end is shown where it begins."""
    return inner is not None and outer.start <= inner.start < outer.end


def _stands_in(text: str, evidence: Evidence) -> bool:
    """Whether its place holds what its words were before they were de-identified."""
    if evidence.place is None:
        return False
    parts = (r"\s+".join(map(re.escape, part.split())) for part in _SURROGATE.split(evidence.text))
    words = re.compile(r"\s*" + r"\s*.+?\s*".join(parts) + r"\s*", re.DOTALL)
    return words.fullmatch(text, evidence.place.start, evidence.place.end) is not None
