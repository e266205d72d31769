"""How a sentence speaks of what it names: rules in the way of NegEx and ConText (Chapman 2001, Harkema 2009).

A trigger rules the words after it, or before it, up to a word that ends its scope. The rules are our own and few:
they say to a reader why a mention did not count; the score is the model's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cds.findings import Assertion

_BEFORE: Sequence[tuple[Assertion, str]] = (
    (
        Assertion.NEGATED,
        r"\bno\b(?! (?:(?:significant|relevant|interval|new) )*(?:change|increase|longer (?:small|a))\b)"
        r"|\bnil\b|\bnot\b(?! only\b)|\bwithout\b|\bw/o\b|\bdenie[sd]\b|\bdenying\b|\bdoubt(?:ful)?\b|"
        r"\bneg(?:ative)?(?: for)?\b|\bfree (?:of|from)\b|\babsence of\b|\bruled out\b|\bneither\b|\bnor\b|"
        r"\bnever (?:had|has)\b|\bunlikely to be\b|\bclear of\b|\blow suspicion (?:for|of)\b|\brather than\b|"
        r"\b(?:resolution|clearing) of\b|\bresolved\b|\(-\)|(?:^ ?|, )- ?$",
    ),
    (
        Assertion.OTHER_PERSON,
        r"\b(?:mother|father|mom|dad|brother|sister|sibling|son|daughter|wife|husband|spouse|aunt|uncle|cousin|"
        r"grand(?:mother|father|parent)s?|family|relatives?|fhx?|roommate|coworker)\b",
    ),
    (
        Assertion.ASKED,
        r"\br/o\b|\brule[- ]out\b|\bto exclude\b|\bevaluat(?:e|ion)\b|\beval\b|\bassess(?:ment)? for\b|\bquery\b|"
        r"\brisks? (?:of|for|include\w*)\b|\breturn (?:if|for)\b|\bif\b|\bscreen(?:ing)? for\b|\bmonitor for\b|"
        r"\bwatch for\b|\bto look for\b|\bworr(?:ied|y) about\b|\bvaccin\w+\b|\bprophylaxis\b",
    ),
    (
        Assertion.PAST,
        r"\bhistory of\b|\bh/o\b|\bhx of\b|\bprior\b|\bprevious(?:ly)?\b|\bpast\b|\bs/p\b|\bstatus post\b|"
        r"\brecovered from\b|(?<!being )\btreated for\b|\bhad\b",
    ),
    (
        Assertion.POSSIBLE,
        r"\bpossibl[ey]\b|\bmay\b|\bmight\b|\bcould\b|\bcannot (?:be )?(?:entirely )?exclude\w*\b|"
        r"\bquestionable\b|"
        r"\bversus\b|\bvs\b|\bless likely\b|\bequivocal\b|\bdifferential\b|\bperhaps\b|\?",
    ),
)
"""What a word says of the finding named after it, most decisive first."""
_AFTER: Sequence[tuple[Assertion, str]] = (
    (
        Assertion.POSSIBLE,
        r"\b(?:is |are )?not (?:entirely )?excluded\b|\b(?:can ?not|can't|hard to|difficult to) (?:be )?"
        r"(?:entirely )?(?:excluded?|ruled? out)\b|\bis possible\b|\bless likely\b|\bversus\b|\bvs\b",
    ),
    (
        Assertion.NEGATED,
        r"\b(?:is|are|was|were|has been|have been)? ?(?:ruled out|absent|excluded|not (?:seen|present|identified|"
        r"visible|detected|found|evident|confirmed|demonstrated))\b"
        r"(?! (?:on|in|at) (?:the |a )?(?:prior|previous|last)\b)|\b(?:is |are |seems )?unlikely\b|"
        r"[:?] ?(?:there (?:is|are) )?(?:none|no|negative|absent)\b|^ ?\(-\)(?= *(?:[,;.]|$))|"
        r"\bno longer\b|\bis gone\b|"
        r"(?<!not )(?<!not yet )(?<!not completely )(?<!not fully )(?<!partially )(?<!incompletely )"
        r"\b(?:resolved|cleared)\b",
    ),
)
_HEADINGS: Sequence[tuple[Assertion, str]] = (
    (Assertion.NEGATED, r"\b(?:resolved(?: (?:problems?|issues?))?|negatives|absent)$"),
    (Assertion.OTHER_PERSON, r"\b(?:family|fhx?|mother|father|brother|sister)\b"),
    (Assertion.ASKED, r"\b(?:indication|reason|question|clinical (?:history|information))\b"),
)
_ENDS = re.compile(
    r"\b(?:but|however|although|though|except|aside from|apart from|other than|otherwise|patient has|which|"
    r"now with|with persistent|there (?:is|are)|persists?|remains?|film shows)\b|;|(?<!\d)\.(?!\d)",
    re.IGNORECASE,
)
_COMMA = re.compile(r",(?! (?:or|nor|and|[\w /-]+(?:,| or | nor | and )))")
"""A comma that ends a clause, unlike those of a list."""

_STILL = re.compile(
    r"[^,;.]*\b(?:unchanged|stable|persists?|remains?|not (?:significantly )?changed|"
    r"(?:increased|decreased|enlarged|worsened|progressed|improved|larger|smaller))\b",
    re.IGNORECASE,
)
"""What was seen before and is there now: "the previously seen effusion is unchanged"."""

_RULES_BEFORE = [(assertion, re.compile(words, re.IGNORECASE)) for assertion, words in _BEFORE]
_RULES_AFTER = [(assertion, re.compile(words, re.IGNORECASE)) for assertion, words in _AFTER]
_RULES_ABOVE = [(assertion, re.compile(words, re.IGNORECASE)) for assertion, words in _HEADINGS]


def assertion(sentence: str, start: int, end: int, heading: str = "") -> Assertion:
    """How ``sentence``, under ``heading``, speaks of ``sentence[start:end]``."""
    for said, words in _RULES_AFTER:
        if words.search(_following(sentence, end)):
            return said
    before = _leading(sentence, start)
    for said, words in _RULES_BEFORE:
        if words.search(before):
            return Assertion.PRESENT if said is Assertion.PAST and _STILL.match(sentence, end) else said
    for said, words in _RULES_ABOVE:
        if words.search(heading):
            return said
    return Assertion.PRESENT


def _leading(sentence: str, start: int) -> str:
    """From the last word before ``start`` that ends a scope."""
    ends = [match.end() for match in _ENDS.finditer(sentence, 0, start)]
    ends += [match.end() for match in _COMMA.finditer(sentence) if match.end() <= start]
    return sentence[max(ends, default=0) : start]


def _following(sentence: str, end: int) -> str:
    """Up to the next comma or word that ends a scope."""
    stop = re.compile(rf",|{_ENDS.pattern}", re.IGNORECASE).search(sentence, end)
    return sentence[end : stop.start() if stop else len(sentence)]
