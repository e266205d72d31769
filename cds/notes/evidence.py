"""Which sentences of the notes carried a finding, and which name it without its being there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cds.engine.sentences import Sentence, sentences
from cds.findings import Assertion, Evidence, PartScore, Place
from cds.notes.deidentification.deidentified import Deidentified
from cds.notes.mentions import Mention, mentions
from cds.notes.negation import assertion

MOST = 3
"""Sentences that are shown for one finding, and as many that name it without its being there."""
DOUBTED = (Assertion.PRESENT, Assertion.POSSIBLE)
"""What a sentence that the model counted may be called; a rule does not overrule the model."""
_TAG = re.compile(r"\\\[([a-z_]+)\\\]")
"""A surrogate in a pattern, as :func:`cds.notes.reading.prepare` leaves it: without its code."""


@dataclass(frozen=True, slots=True)
class Source:
    """A note on its way to the model. Made for one call: it holds what the patient's record alone may keep."""

    digest: str
    """:attr:`cds.findings.NoteSeen.digest`."""
    text: str
    """As it was extracted."""
    read: str
    """What of ``text`` is worth reading."""
    deidentified: Deidentified
    """``read`` without identifiers."""


def evidence(text: str, score: PartScore) -> tuple[Evidence, ...]:
    """Of the de-identified ``text`` that ``score`` is of: for each finding what carried it, strongest first, then
    the mentions that are negated, past, another person's or only asked about, in their order.
    """
    found = sentences(text)
    carried = sorted(_carried(found, text, score), key=lambda e: -(e.probability or 0))
    shown = [e for key in score.probabilities for e in [c for c in carried if c.finding == key][:MOST]]
    counted = {(e.finding, e.start) for e in carried}
    return (*shown, *_few(e for e in _not_there(found) if (e.finding, e.start) not in counted))


def _few(found: Iterable[Evidence]) -> Iterator[Evidence]:
    """The first of each finding, the same words once."""
    said: set[tuple[str, str]] = set()
    shown: Counter[str] = Counter()
    for one in found:
        if shown[one.finding] < MOST and (one.finding, one.text) not in said:
            said.add((one.finding, one.text))
            shown[one.finding] += 1
            yield one


def _carried(found: list[Sentence], text: str, score: PartScore) -> Iterator[Evidence]:
    by_start = {sentence.start: sentence for sentence in found}
    for passage in score.passages:
        said = text[passage.start : passage.end]
        sentence = by_start.get(passage.start) or Sentence(passage.start, passage.end, said, "")
        for key, probability in passage.probabilities.items():
            meant = {_said(sentence, mention) for mention in mentions(sentence.text) if mention.finding == key}
            possible = meant == {Assertion.POSSIBLE}
            yield Evidence(
                key,
                Assertion.POSSIBLE if possible else Assertion.PRESENT,
                sentence.text,
                passage.start,
                passage.end,
                probability,
            )


def _not_there(found: list[Sentence]) -> Iterator[Evidence]:
    for sentence in found:
        named: dict[str, Assertion] = {}
        for mention in mentions(sentence.text):
            if mention.finding not in named:
                named[mention.finding] = _said(sentence, mention)
        for key, said in named.items():
            if said not in DOUBTED:
                yield Evidence(key, said, sentence.text, sentence.start, sentence.end)


def _said(sentence: Sentence, mention: Mention) -> Assertion:
    return assertion(sentence.text, mention.start, mention.end, sentence.heading)


def placed(shown: Iterable[Evidence], sources: Sequence[Source]) -> tuple[Evidence, ...]:
    """``shown`` with their places; of several notes that say the same, the first."""
    return tuple(replace(one, place=_place(one.text, sources)) for one in shown)


def _place(said: str, sources: Sequence[Source]) -> Place | None:
    for source in sources:
        read = in_original(said, source.deidentified)
        words = source.read[slice(*read)].split() if read else []
        if words and (match := re.search(r"\s+".join(map(re.escape, words)), source.text)):
            return Place(source.digest, *match.span())
    return None


def in_original(said: str, note: Deidentified) -> tuple[int, int] | None:
    """Where the sentence ``said`` of a prepared text stands in the note before it was de-identified.

    ``None`` where the note does not hold it. For the clinician alone, who may see the patient's own note.
    """
    words = r"\s+".join(re.escape(word) for word in said.split())
    match = re.search(_TAG.sub(lambda tag: rf"\[{tag[1].upper()}-[A-Z2-7]{{6}}\]", words), note.text)
    return (_original(match.start(), note), _original(match.end(), note, end=True)) if match else None


def _original(offset: int, note: Deidentified, *, end: bool = False) -> int:
    """The original offset of one in the de-identified text; within a surrogate, the identifier's own edge."""
    shift = 0
    for one in note.replaced:
        start = one.start + shift
        if offset <= start:
            break
        if offset < start + len(one.surrogate):
            return one.end if end else one.start
        shift += len(one.surrogate) - (one.end - one.start)
    return offset - shift
