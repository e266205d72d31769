"""What an addendum takes back: who looks again writes beneath the report, which stays as it was.

Taken back is a finding that the addendum denies while it speaks of the report, or says to be something else:
"On review the line at the left apex is a skin fold. No pneumothorax." Of another side nothing is taken back, nor
by "no tension pneumothorax" what the report does not call so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cds.engine.sentences import Sentence, sentences
from cds.findings import Assertion
from cds.notes.mentions import Mention, mentions
from cds.notes.negation import assertion
from cds.notes.sections import Kind, Section

_ASSERTED = (Assertion.PRESENT, Assertion.POSSIBLE)
_SPEAKS_OF_THE_REPORT = re.compile(
    r"\b(?:above|original(?:ly)?|initial(?:ly)?|(?:previously|as|was|were) (?:described|reported|noted|seen|"
    r"stated|mentioned|dictated)|(?:described|reported|mentioned) (?:above|earlier|previously|as)|"
    r"(?:on|after|upon) (?:\w+ )?(?:re-?)?review|re-?reviewed|second look|should (?:read|state|say|have)|"
    r"correct(?:ed|ion|s)|retract\w*|"
    r"withdrawn|discrepan\w+|misread|erroneous(?:ly)?|(?:in|transcription|dictation|typographical) error|"
    r"preliminary (?:read|report|interpretation)|omitted|skin ?folds?|artifact\w*|artefact\w*)\b",
    re.IGNORECASE,
)
_SOMETHING_ELSE = re.compile(
    r"\b(?:represents?|(?:is|was|are|were)(?: (?:actually|in fact|likely|felt to be|due to))*) (?:an? |the )?"
    r"(?:\w+ )?(?:skin ?folds?|artifacts?|artefacts?|nipples?(?: shadows?)?|summation|button|bedding|clothing)\b",
    re.IGNORECASE,
)
_ANOTHER_STUDY = re.compile(
    r"\b(?:prior|previous|earlier|older?|outside|comparison)\b[^.;]{0,30}"
    r"\b(?:films?|stud(?:y|ies)|exam\w*|radiographs?|x-?rays?|cxr|cts?|images?|imaging)\b",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(r"\b(?:if|whether|denie[sd]|history|past|alone)\b", re.IGNORECASE)
_NARROWER = re.compile(
    r"\b(?:tension|small|large|moderate|second|additional|other|further|new|old|residual|loculated|ap(?:ex|ical)|"
    r"bas(?:e|al|ilar)|upper|middle|lower|anterior|posterior|medial|lateral)\b",
    re.IGNORECASE,
)
_SIDES = {
    "left": re.compile(r"\b(?:left|bilateral|both|l[ul]l)\b", re.IGNORECASE),
    "right": re.compile(r"\b(?:right|bilateral|both|r[uml]l)\b", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class _TakenBack:
    finding: str
    sides: frozenset[str]
    """Empty where the addendum names none."""
    narrower: frozenset[str] = frozenset()
    """Words that what is taken back has too: "no apical pneumothorax" says nothing of one at the base."""

    def means(self, mention: Mention, sentence: Sentence) -> bool:
        if mention.finding != self.finding:
            return False
        asserted = assertion(sentence.text, mention.start, mention.end, sentence.heading) in _ASSERTED
        same_side = not self.sides or _sides(sentence.text) <= self.sides
        as_narrow = self.narrower <= _words(_NARROWER, sentence.text)
        return asserted and same_side and as_narrow


def without_taken_back(sections: Sequence[Section], appended: Iterable[Section] = ()) -> list[Section]:
    """The sections of one note, less what its addenda take back: its own, and those ``appended`` to it."""
    addenda = [*(section for section in sections if section.kind is Kind.ADDENDUM), *appended]
    taken_back = list(dict.fromkeys(one for addendum in addenda for one in _taken_back(addendum)))
    if not taken_back:
        return list(sections)
    return [s if s.kind is Kind.ADDENDUM else replace(s, text=_without(taken_back, s.text)) for s in sections]


def _taken_back(addendum: Section) -> Iterator[_TakenBack]:
    of_the_report = _SPEAKS_OF_THE_REPORT.search(addendum.text)
    for sentence in sentences(addendum.text):
        if _ANOTHER_STUDY.search(sentence.text):
            continue
        something_else = _SOMETHING_ELSE.search(sentence.text)
        for mention in mentions(sentence.text):
            clause = _clause(sentence.text, mention)
            sides = _sides(clause) or _sides(sentence.text)
            if something_else:
                yield _TakenBack(mention.finding, sides)
            elif of_the_report and _denied(sentence.text, mention):
                yield _TakenBack(mention.finding, sides, _words(_NARROWER, clause))


def _denied(said: str, mention: Mention) -> bool:
    negated = assertion(said, mention.start, mention.end) is Assertion.NEGATED
    return negated and not _NO_DENIAL.search(said)


def _clause(said: str, mention: Mention) -> str:
    """What of a sentence stands with the mention between commas."""
    return re.split("[,;]", said[: mention.start])[-1] + re.split("[,;]", said[mention.start :])[0]


def _without(taken_back: Iterable[_TakenBack], text: str) -> str:
    """Without the sentences of it; of one that names something else too, without its words alone."""
    taken_back = list(taken_back)
    # From the last: what is cut moves nothing that is still to be looked at.
    for sentence in reversed(sentences(text)):
        named = list(mentions(sentence.text))
        meant = [mention for mention in named if any(one.means(mention, sentence) for one in taken_back)]
        if meant and len(meant) == len(named):
            text = text[: sentence.start] + text[sentence.end :]
        elif meant:
            text = text[: sentence.start] + _cut(sentence.text, meant) + text[sentence.end :]
    return text


def _cut(said: str, meant: Iterable[Mention]) -> str:
    for mention in sorted(meant, key=lambda one: -one.start):
        said = said[: mention.start] + said[mention.end :]
    return said


def _words(form: re.Pattern[str], said: str) -> frozenset[str]:
    return frozenset(form.findall(said.lower()))


def _sides(said: str) -> frozenset[str]:
    return frozenset(side for side, words in _SIDES.items() if words.search(said))
