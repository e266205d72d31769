"""What the token classifier finds: names and places that no pattern and no list knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.classifier import Labelled, TokenClassifier
from cds.notes.deidentification.recognizers.names import all_capitals, further_mentions
from cds.notes.deidentification.recognizers.regions import REGION, TOWNS_TOO, finer_than_a_state, region_around
from cds.notes.deidentification.words import listed

_CATEGORIES = {
    "NAME": Category.NAME,
    "ADDRESS": Category.ADDRESS,
    "FACILITY": Category.FACILITY,
    "DATE": Category.DATE,
    "NUMBER": Category.RECORD,
}
"""Of dates the patterns know more; the classifier knows by the words around which ``2/6`` is one."""
_SURE = 0.9
"""A name so sure is looked for in the rest of the note."""
_LIKELY = 0.6
"""A place or an organisation so likely is, with all its words."""
_CERTAIN = 0.995
"""So sure, even a clinical word is a name."""
_WORD = regex.compile(r"\p{L}[\p{L}'\u2019]*")
_WITH_A_CAPITAL = regex.compile(r"\p{Lu}\p{Ll}")
_WORD_BEFORE = regex.compile(r"(?:\p{L}+['\u2019-])+$")
_WORD_AFTER = regex.compile(r"(?:['\u2019-]\p{L}{2,})+")
_NAMED_BEFORE = regex.compile(r"(?:(?:St\.|\p{Lu}[\p{L}'\u2019-]+)[ ](?:(?:of|the|and|&)[ ])*)+$")
_NAMED_AFTER = regex.compile(r"(?:[ ](?:(?:of|the|and|&)[ ])*\p{Lu}\p{Ll}[\p{L}'\u2019-]*)+")
_NUMBER_BEFORE = regex.compile(r"(?<![\w./:,-])\d{1,5}[A-Za-z]?[ ]$")
_HOUSE_BEFORE = regex.compile(r"(?<=(?:^|[\n,])[>?*|\s]{0,6})\d{1,5}[A-Za-z]?[ ]$")
_POST_CODE_AFTER = regex.compile(
    r"(?:[ ]\d{1,4}[A-Za-z]?(?=[.,;\n]|$))?(?:,?[\s>?]+(?i:apt|suite|ste|unit|flat|floor)\b[. #]*\w{1,5})?"
    rf"(?:(?:[,\s>?]+(?:{REGION}|\p{{Lu}}{{2}}))?[,\s>?]+\d{{5}}(?:-\d{{4}})?(?!\w))?"
)
_SENTENCE_GOES_ON = regex.compile(r"[\p{Ll}\d,][ \n]$")
"""Here a capital makes even a plain word part of a name: "care from Good Samaritan"."""
_LIST_LINK = regex.compile(r"[,;/]\s?")
_LIST_WORD = regex.compile(r"[,;/]\s?(?P<word>\p{L}[\p{L}'\u2019-]+)[,;/]\s?")
_LAST_OF_LIST = regex.compile(r"[,;/]\s?(?P<word>\p{L}[\p{L}'\u2019-]+)(?=[)])")
"""A list of names goes on from one to the next, over a word that may be one, and ends."""
_LONGEST_LISTED = 30
_DIGITS = 4
_PREPOSITION = regex.compile(r"(?i:(?:at|from|to|by|in|with|for|the|and)\s+)+")
_BEFORE = {
    "NUMBER": regex.compile(r"(?:[;|\s]*\p{L}+\s*[=:]\s*)+"),
    "FACILITY": _PREPOSITION,
    "ADDRESS": _PREPOSITION,
}
"""What is read with an identifier and is none of it: the label of a number, the preposition of a place."""
_TIME = regex.compile(r"(?:\d\d)?:\d\d(?::\d\d)?")
_YEAR = regex.compile(r"(?:19|20)\d\d")
_MARKS_A_SECTION = regex.compile(r"[SOAPsoap]:")
"""Of a note in four parts."""
_POST_CODE = regex.compile(r"\s\d{5}(?!\w)")
_SUFFIXES = ("jr", "sr", "ii", "iii", "iv")
_PARTICLES = frozenset("de la del della van von der den bin ibn al el da dos di le do e y ten ter zu".split())  # noqa: SIM905
_PHRASES = ("ADDRESS", "FACILITY")
_APART = {"NAME": regex.compile(r"\s*\n\s*\n\s*|[ \t]{2,}|[ ](?:and|&|at|from|with|by)[ ]")}
_BLANK_LINE = regex.compile(r"\s*\n\s*\n\s*")
_NOT_OF_THE_NAME = regex.compile(
    r"(?:[\s,.]+(?:(?i:m\.?d|r\.?n|np|lpn|cna|pa-c|arnp|lcsw|pharmd|psyd|phd|dds|dmd|emt|crna|cnm|rpsgt|frcs|pgy|dob|mrn|"
    r"age|sex|acct|acc|rm|room|bed|card|tech)|D\.?O|PA|MA|PT|OT|RT|SW)\b\.?)+$"
)
"""What a header or a signature has next."""
_OF_NO_ALPHABET = regex.compile(r"[^\p{L}\d\s]*[^\P{L}\p{Latin}]?[^\p{L}\d\s.'\u2019)]+$")
"""What wrong decoding leaves of a dash behind a name."""
_CONTRACTED = regex.compile(r"(?<=n)['\u2019]t\b")
"""Of "Don't"."""
_EPONYM = regex.compile(
    r"(?:['\u2019]s)?(?:-\p{Lu}\p{Ll}+)?[ ](?:(?i:signs?|test|neg|pos|n/a|negative|positive|absent|present|score|"
    r"grade|scale|class|stage|type|vtx|grip|needle|valve|catheter|drain|tube|line|clips?|angle|criteria|pattern|"
    r"sinuses|maneuver|classification|index|distorted|fracture|procedure|disease|syndrome)\b"
    r"|\d{1,2}(?:/\d{1,2})?(?=[.,;)]|\s|$)|[IV]{1,3}[ab]?\b)"
)
"""Behind a name that became a term: "Bishop 9", "Forrest IIa", "Kemp's pos"."""
_GIVEN_NEXT = regex.compile(r",[ ]?(?P<given>\p{Lu}[\p{L}'\u2019-]+)(?:[ ]\p{Lu}\b\.?(?!\p{L}))?")
"""A given name behind a surname and a comma."""
_LETTER_BEFORE = regex.compile(r"\w+$")
_LETTER_AFTER = regex.compile(r"\w+")


class ClassifierRecognizer(EntityRecognizer):
    """Scores below those of the patterns, which know better of what kind a number is."""

    def __init__(self, classifier: TokenClassifier) -> None:
        super().__init__(supported_entities=[str(c) for c in _CATEGORIES.values()])
        self._classifier = classifier

    def load(self) -> None:
        """The classifier is loaded."""

    def analyze(self, text: str, entities: Sequence[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        pieces = (piece for one in self._classifier.find(text) for piece in _pieces(text, one))
        found = [self._trimmed(text, one) for one in pieces if self._plausible(text, one)]
        results = (
            RecognizerResult(_CATEGORIES[one.label], *span, 0.5 + one.probability / 10)
            for one in found
            for span in self._spans(text, one)
        )
        return [*results, *self._further(text, found)]

    def _spans(self, text: str, one: Labelled) -> Iterator[tuple[int, int]]:
        """All of the identifier of which ``one`` is at least a part."""
        start, end = _whole(text, one)
        if one.label == "ADDRESS":
            yield from finer_than_a_state(text, start, end)
        elif one.label == "NAME" and (given := self._given_next(text, start, end)):
            yield start, given
        else:
            yield start, end

    def _given_next(self, text: str, start: int, end: int) -> int | None:
        """The end of a given name behind the surname of ``start`` to ``end``."""
        given = _GIVEN_NEXT.match(text, end)
        if given is None or " " in text[start:end] or given["given"].casefold() in listed("not_names"):
            return None
        return given.end() if self._classifier.knows(given["given"].casefold())["given"] >= 2 else None

    def _further(self, text: str, found: Sequence[Labelled]) -> Iterator[RecognizerResult]:
        """The same names elsewhere, word by word; the same towns and organisations, whole."""
        sure = [one for one in found if one.probability > (_LIKELY if one.label in _PHRASES else _SURE)]
        people = [(one.start, one.end) for one in sure if one.label == "NAME"]
        listed_too = list(_listed_among(text, people))
        further = [*listed_too, *further_mentions(text, [*people, *listed_too])]
        yield from (RecognizerResult(Category.NAME, *span, 0.5) for span in further)
        places = {
            (one.label, text[start:end])
            for one in sure
            if one.label in _PHRASES
            for start, end in finer_than_a_state(text, one.start, one.end)
        }
        for label, phrase in places:
            if len(phrase) > 3 and not self._is_a_word(phrase):
                yield from (RecognizerResult(_CATEGORIES[label], *span, 0.5) for span in _wherever(text, phrase))

    def _is_a_word(self, phrase: str) -> bool:
        return phrase.islower() and self._classifier.knows(phrase)["ordinary"] > 0

    def _plausible(self, text: str, one: Labelled) -> bool:
        said = text[one.start : one.end]
        if one.label in ("NUMBER", "DATE") or _YEAR.fullmatch(said):
            return _is_telling(one.label, said)
        if _MARKS_A_SECTION.match(text, one.start, one.end + 1):
            return False
        words = _WORD.findall(said)
        contracted = _CONTRACTED.match(text, one.end - said.endswith(("'", "\u2019")))
        if contracted or not (words or one.label == "ADDRESS") or self._is_region(text, one):
            return False
        if one.probability >= _CERTAIN and len(words) > 1:
            return True
        if (one.probability < _SURE and self._is_small_among_capitals(text, one, words)) or self._is_eponym(
            text, one, words
        ):
            return False
        capitals = all_capitals(text, one.start, one.end)
        return not words or not all(self._is_term(word, capitals=capitals) for word in words)

    def _is_region(self, text: str, one: Labelled) -> bool:
        """Whether this names a state or a country; not "Jordan" or "Chad", where they may be people."""
        said, region = text[one.start : one.end], region_around(text, one.start, one.end)
        if not region or region.casefold() in TOWNS_TOO:
            return False
        if one.label != "NAME" or region != said or _POST_CODE.match(text, one.end):
            return True
        knows = self._classifier.knows(said.casefold())
        return max(knows["given"], knows["family"]) < 2

    def _is_small_among_capitals(self, text: str, one: Labelled, words: Sequence[str]) -> bool:
        """Whether these are plain words in small letters where names would have capitals."""
        around = text[max(0, one.start - 60) : one.start] + text[one.end : one.end + 60]
        small = all(word.islower() and self._classifier.knows(word)["ordinary"] for word in words)
        return bool(words) and small and bool(_WITH_A_CAPITAL.search(around))

    def _is_eponym(self, text: str, one: Labelled, words: Sequence[str]) -> bool:
        """Whether this is a name that became a term, by what stands behind it: "Bishop 9"."""
        if one.label != "NAME" or len(words) != 1 or not _EPONYM.match(text, one.end):
            return False
        small = words[0].casefold().removesuffix("'s").removesuffix("\u2019s")
        return small in listed("not_names") or self._classifier.knows(small)["clinical"] > 0

    def _trimmed(self, text: str, one: Labelled) -> Labelled:
        """A person's name without words at its ends that name nobody ("Hi Cheryl", "Dwayne back")."""
        words = list(_WORD.finditer(text, one.start, one.end)) if one.label == "NAME" else []
        in_capitals = any(word[0][0].isupper() for word in words)
        names = [word for word in words if not self._names_nobody(word[0], beside_capitals=in_capitals)]
        while len(names) > 1 and names[0][0].casefold() in listed("roles"):
            names.pop(0)
        if len(names) in (0, len(words)):
            return one
        start = one.start if names[0] is words[0] else names[0].start()
        return replace(one, start=start, end=one.end if names[-1] is words[-1] else names[-1].end())

    def _names_nobody(self, said: str, *, beside_capitals: bool) -> bool:
        word = said.casefold()
        knows = self._classifier.knows(word)
        name = max(knows["family"], knows["given"], knows["place"])
        ordinary = knows["ordinary"] >= 2 or (knows["ordinary"] and name < 2 and len(word) > 3)
        apart = beside_capitals or (name < 2 and knows["clinical"])
        if apart and said.islower() and ordinary and word not in _PARTICLES:
            return True
        plain = max(knows["ordinary"], knows["clinical"]) >= 2
        return len(word) > 1 and plain and not name and word not in _SUFFIXES

    def _is_term(self, word: str, *, capitals: bool) -> bool:
        """Whether ``word`` is clinical or ordinary, or an abbreviation where others have small letters."""
        small = word.casefold()
        if small in listed("not_names"):
            return True
        knows = self._classifier.knows(small)
        name = max(knows["family"], knows["given"], knows["place"])
        if name >= 2:
            return False
        return (
            knows["clinical"] >= (2 if name else 1)
            or knows["ordinary"] >= 2
            or (word.isupper() and len(word) <= 5 and not capitals)
        )


def _is_telling(label: str, said: str) -> bool:
    """Whether a number is long enough, and a date more than a time of day; a bare year names nothing else."""
    digits = sum(map(str.isdigit, said))
    if label == "NUMBER":
        return digits >= _DIGITS
    return label == "DATE" and digits > 0 and not _TIME.fullmatch(said)


def _pieces(text: str, one: Labelled) -> Iterator[Labelled]:
    """``one`` without what only stands beside it: each person and each part behind a blank line apart."""
    before = _BEFORE[one.label].match(text, one.start, one.end) if one.label in _BEFORE else None
    at = before.end() if before else one.start
    for gap in (*_APART.get(one.label, _BLANK_LINE).finditer(text, one.start, one.end), None):
        end = gap.start() if gap else one.end
        yield replace(one, start=at, end=_before_what_stands_beside(text, at, end) if one.label == "NAME" else end)
        at = gap.end() if gap else end


def _before_what_stands_beside(text: str, start: int, end: int) -> int:
    """The end of a person's name without credentials and what else is none of it."""
    for beside in (_OF_NO_ALPHABET, _NOT_OF_THE_NAME):
        match = beside.search(text, start, end)
        end = match.start() if match and match.start() > start else end
    return end


def _listed_among(text: str, people: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """A word that a list has between two people, or behind two: "(Knopp, Still, Boydstun)"."""
    known = {start for start, _ in people}
    for (_, end), (start, last) in pairwise(people):
        between = _LIST_WORD.fullmatch(text, end, start) if start - end < _LONGEST_LISTED else None
        behind = _LAST_OF_LIST.match(text, last) if _LIST_LINK.fullmatch(text, end, start) else None
        for word in (between, behind):
            if word and word.start("word") not in known and word["word"].casefold() not in listed("not_names"):
                yield word.span("word")


def _wherever(text: str, phrase: str) -> Iterator[tuple[int, int]]:
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            yield at, end
        at = text.find(phrase, end)


def _whole(text: str, one: Labelled) -> tuple[int, int]:
    """Where the identifier begins and ends of which ``one`` was recognised: a hyphenated name, a house number."""
    start, end = one.start, one.end
    if one.label != "NUMBER":
        start, end = (
            _grown(text, start, end, _LETTER_BEFORE, _LETTER_AFTER)
            if _within_a_word(text, start, end)
            else (start, end)
        )
    if one.label == "NAME":
        start, end = _grown(text, start, end, _WORD_BEFORE, _WORD_AFTER)
    elif one.label == "ADDRESS":
        before = _NUMBER_BEFORE if text[start].isdigit() else _HOUSE_BEFORE
        start, end = _grown(text, start, end, before, _POST_CODE_AFTER)
    elif one.label == "FACILITY" and not all_capitals(text, start, end):
        start, end = _grown(text, start, end, _NAMED_BEFORE, _NAMED_AFTER)
    return start, end


def _within_a_word(text: str, start: int, end: int) -> bool:
    """Whether a word goes on beyond: "DERMAT" of "DERMAT0LOGY"."""
    return (text[start - 1 : start].isalnum() and text[start].isalnum()) or (
        text[end : end + 1].isalnum() and text[end - 1].isalnum()
    )


def _grown(
    text: str, start: int, end: int, before: regex.Pattern[str], after: regex.Pattern[str]
) -> tuple[int, int]:
    """With the rest of a hyphenated name, or of a name of several words, of which a part was recognised."""
    left, right = before.search(text, max(0, start - 40), start), after.match(text, end, end + 40)
    begin = left.start() if left and left.start() > start - 40 else start
    first = text[begin:start].split(maxsplit=1)
    plain = bool(first) and first[0].casefold() in listed("not_names")
    if plain and not _SENTENCE_GOES_ON.search(text, 0, begin):
        begin = start
    return begin, right.end() if right else end
