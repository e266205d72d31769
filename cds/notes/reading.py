"""What of the notes goes to the model: of the patient, nothing twice, conclusions first, and only so much."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from cds.notes.addenda import without_taken_back
from cds.notes.deidentification.surrogates import TAG
from cds.notes.sections import Kind, Section, about_findings

READ_CHARS = 24_000
"""How much of all notes is de-identified: some 4,000 words, and no note can take all the time there is."""
MAX_CHARS = READ_CHARS
"""How much goes to the model, which of a long text itself reads only the sentences that can matter."""

TIERS: Sequence[frozenset[Kind]] = (
    frozenset({Kind.IMPRESSION, Kind.ADDENDUM}),
    frozenset({Kind.FINDINGS, Kind.HISTORY, Kind.REASON, Kind.EXAM, Kind.RESULTS, Kind.OTHER}),
    frozenset(
        {
            Kind.PLAN,
            Kind.PAST_HISTORY,
            Kind.MEDICATIONS,
            Kind.SOCIAL_HISTORY,
            Kind.TECHNIQUE,
            Kind.COMPARISON,
        }
    ),
)
"""In this order, each from the newest note to the oldest: what was concluded, what was seen, the rest."""

NO_ADDENDA: Mapping[int, Collection[int]] = MappingProxyType({})

COPIED = 0.8
"""A paragraph of which newer text holds this share, sentence by sentence, was copied forward from it."""
_LONGEST_HEADING = 40
_LEAST_SENTENCE = 12
"""Letters; "No edema." says the same everywhere and shows nothing about where it came from."""


def worth_reading(texts: Sequence[str], addenda: Mapping[int, Collection[int]] = NO_ADDENDA) -> list[str]:
    """Each of ``texts``, newest first, less what is not about the patient, stands in a newer one, or was taken
    back by its own addendum, in its order.

    ``addenda``: of a note, by its number, the numbers of those that are addenda to it.
    A note that says nothing new is empty. All together have at most ``READ_CHARS`` characters.
    """
    whole = [list(about_findings(text)) for text in texts]
    notes = [
        without_taken_back(sections, chain.from_iterable(whole[one] for one in addenda.get(number, ())))
        for number, sections in enumerate(whole)
    ]
    seen: set[str] = set()
    fresh = [[Section(s.kind, _fresh(s.text, seen)) for s in sections] for sections in notes]
    room = READ_CHARS
    kept: dict[tuple[int, int], str] = {}
    for tier in TIERS:
        for place, section in _places(fresh, tier):
            kept[place] = section.text[:room]
            room -= len(kept[place])
    return ["\n\n".join(kept[place] for place in sorted(kept) if place[0] == note) for note in range(len(texts))]


def prepare(texts: Sequence[str], context: str = "") -> str:
    """De-identified notes, newest first, as one text for the model; empty where they say nothing.

    ``context`` comes first (:mod:`cds.notes.context`). Sections that are not about the patient are left out, the
    others come in the order of ``TIERS``, surrogates lose their code (``[NAME-K7Q2XA]`` says no more to a model
    than ``[name]``), and reading stops at ``MAX_CHARS``.
    """
    notes = [list(about_findings(text)) for text in texts]
    parts = [context]
    for tier in TIERS:
        for sections in notes:
            parts.append("\n".join(filter(None, (_normalised(s.text) for s in sections if s.kind in tier))))
    return "\n\n".join(filter(None, parts))[:MAX_CHARS]


def _places(
    notes: Sequence[Sequence[Section]], tier: frozenset[Kind]
) -> Iterator[tuple[tuple[int, int], Section]]:
    """The sections of a tier that say anything, with the number of their note and their own within it."""
    for note, sections in enumerate(notes):
        for number, section in enumerate(sections):
            if section.kind in tier and section.text:
                yield (note, number), section


def _fresh(text: str, seen: set[str]) -> str:
    """``text`` without the paragraphs that ``seen`` holds, which then holds the rest too."""
    kept = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        sentences = _sentences(paragraph)
        length = sum(map(len, sentences))
        known = sum(len(sentence) for sentence in sentences if sentence in seen)
        if not length or known < COPIED * length:
            kept.append(paragraph)
            seen.update(sentences)
    return "\n\n".join(kept).strip("\n")


def _sentences(paragraph: str) -> list[str]:
    """By their letters and digits alone, so that neither line breaks nor bullets make a difference."""
    first, _, rest = paragraph.partition("\n")
    # A short first line is a heading, and no part of the sentence after it.
    parts = [first, rest] if len(first) <= _LONGEST_HEADING else [paragraph]
    sentences = (sentence for part in parts for sentence in re.split(r"(?<=[.!?;:])\s+", part))
    plain = (re.sub(r"[\W_]+", "", sentence).casefold() for sentence in sentences)
    return [sentence for sentence in plain if len(sentence) >= _LEAST_SENTENCE]


def _normalised(text: str) -> str:
    plain = TAG.sub(lambda match: f"[{match['category'].lower()}]", text)
    return re.sub(r"\n{2,}", "\n", re.sub(r"[^\S\n]+|[_=*~-]{3,}", " ", plain)).strip()
