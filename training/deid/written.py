"""Notes written by hand to learn from (``written/*.txt``), each written anew as often as is asked for.

One of eight is held out, whole: on those thresholds and networks are chosen.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import regex

from training.deid.handwritten import note
from training.deid.identities import Identities, eponyms
from training.deid.renewal import Renewal
from training.deid.writer import Note, Span, changed, known_eponyms

FOLDER = Path(__file__).parent / "written"
EXCHANGED = 0.4
"""How often an eponym or a brand gives way to another."""
_WORD = regex.compile(r"\p{L}{2,}")
_CAPITAL = regex.compile(r"\b\p{Lu}[\p{L}'\u2019]{3,}")


def held_out() -> list[Note]:
    """As they were written."""
    return [one for one in _notes() if _is_held_out(one)]


def renewed(*, times: int, seed: int) -> Iterator[Note]:
    """The others, so often: other identifiers, other eponyms, other hands."""
    rng = random.Random(f"written-{seed}")
    for one in (one for one in _notes() if not _is_held_out(one)):
        for _ in range(times):
            yield changed(_anew(one, rng), rng)


def plain_words() -> Iterator[str]:
    """Of the others, the words that are of no identifier, as they stand."""
    for one in (one for one in _notes() if not _is_held_out(one)):
        at = 0
        for start, end, _ in (*one.spans, (len(one.text), len(one.text), None)):
            yield from _WORD.findall(one.text[at:start])
            at = end


def _notes() -> Sequence[Note]:
    texts = (file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.txt")))
    return [note(part.strip()) for text in texts for part in text.split("\n=====\n") if part.strip()]


def _is_held_out(one: Note) -> bool:
    return zlib.crc32(one.text[:60].encode()) % 8 == 0


def _anew(one: Note, rng: random.Random) -> Note:
    renewal = Renewal(Identities("train", rng))
    text, at = "", 0
    spans: list[Span] = []
    for start, end, category in one.spans:
        text += _other_eponyms(one.text[at:start], rng)
        new = renewal(one.text[start:end], category)
        spans.append((len(text), len(text) + len(new), category))
        text, at = text + new, end
    return Note(text + _other_eponyms(one.text[at:], rng), tuple(spans))


def _other_eponyms(text: str, rng: random.Random) -> str:
    def other(word: regex.Match[str]) -> str:
        if word[0].casefold() not in _single() or rng.random() > EXCHANGED:
            return word[0]
        new = rng.choice(known_eponyms())
        return new.upper() if word[0].isupper() else new

    return _CAPITAL.sub(other, text)


@cache
def _single() -> frozenset[str]:
    return frozenset(term.casefold() for term in eponyms() if term.isalpha())
