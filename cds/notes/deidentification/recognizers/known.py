"""What is known of this patient, found however it is written: reordered, abbreviated, misspelt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.dates import FORMS, understood
from cds.notes.deidentification.known import KnownIdentifiers, Person
from cds.notes.deidentification.recognizers.pattern import TIMEOUT
from cds.notes.deidentification.words import listed, nicknames

PERSON = "person"
"""The key, in a result's metadata, of the :class:`Person` that it names."""

_WORD = regex.compile(r"\p{L}[\p{L}'\u2019]*")
_BETWEEN = regex.compile(r"(?:[ ,.-]|\b\p{Lu}\b\.?){1,6}|[ ]*\n[ ]*")
_EPONYM = regex.compile(
    r"(?:['\u2019]s)?\s+(?:disease|syndrome|sign|catheter|reflex|tube|lymphoma|phenomenon|criteria|score|test|maneuver|"
    r"dementia|palsy|hernia|lines?|nodes?|triad|stain|procedure|monitor)\b",
    regex.IGNORECASE,
)


class KnownRecognizer(EntityRecognizer):
    """Made for one call of the de-identifier from the patient's :class:`KnownIdentifiers`."""

    score = 1.0

    def __init__(self, known: KnownIdentifiers) -> None:
        super().__init__(supported_entities=[str(c) for c in Category])
        self._known = known
        self._names = _forms(known.people)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: Sequence[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Raise :class:`TimeoutError` where the text takes too long."""
        return [*self._people(text), *self._birth_date(text), *self._addresses(text), *self._values(text)]

    def _people(self, text: str) -> Iterator[RecognizerResult]:
        words = [(m.start(), m.end(), person) for m in _WORD.finditer(text) if (person := self._whose(m, text))]
        while words:
            start, end, person = words.pop(0)
            while words and words[0][2] is person and _BETWEEN.fullmatch(text, end, words[0][0]):
                end = words.pop(0)[1]
            start = _initial_before(text, start)
            yield RecognizerResult(
                Category.NAME, start, end, self.score, recognition_metadata={PERSON: person, **_WHO}
            )
        yield from self._initials(text)

    def _whose(self, match: regex.Match[str], text: str) -> Person | None:
        """The person whose name this word is, or nearly is; None for a term such as Parkinson's disease."""
        word = regex.sub(r"['\u2019]s$", "", match[0].casefold())
        person = self._names.get(word)
        if person is None and match[0][0].isupper():
            person = self._nearly(word, text)
        if person is None or _EPONYM.match(text, match.end()):
            return None
        return None if word in listed("not_names") and not match[0][0].isupper() else person

    def _nearly(self, word: str, text: str) -> Person | None:
        """A slip of the pen: one edit in five letters or more, two in nine or more."""
        if len(word) < 5 or word in listed("not_names") or regex.search(rf"\b{regex.escape(word)}\b", text):
            return None
        allowed = 2 if len(word) >= 9 else 1
        for name, person in self._names.items():
            if len(name) >= 5 and abs(len(name) - len(word)) <= allowed and _distance(name, word) <= allowed:
                return person
        return None

    def _initials(self, text: str) -> Iterator[RecognizerResult]:
        """``J.D.`` and ``J. Q. D.``; initials without points are too often something else."""
        for person in self._known.people:
            if not (person.given and person.family):
                continue
            middle = r"(?:\p{Lu}\.\s?)?"
            pattern = (
                rf"\b{regex.escape(person.given[0][0])}\.\s?{middle}{regex.escape(person.family[0][0])}\.(?!\w)"
            )
            for match in regex.finditer(pattern, text, timeout=TIMEOUT):
                metadata = {PERSON: person, **_WHO}
                yield RecognizerResult(Category.NAME, *match.span(), self.score, recognition_metadata=metadata)

    def _birth_date(self, text: str) -> Iterator[RecognizerResult]:
        born = self._known.birth_date
        if born is None:
            return
        for form in FORMS:
            for match in form.finditer(text, timeout=TIMEOUT):
                if match.groupdict().get("day") and understood(match, year=born.year) == born:
                    yield RecognizerResult(Category.BIRTH_DATE, *match.span(), self.score)
        for compact in ("%m%d%Y", "%m%d%y", "%d%m%Y"):
            yield from self._literal(text, born.strftime(compact), Category.BIRTH_DATE)

    def _addresses(self, text: str) -> Iterator[RecognizerResult]:
        for address in self._known.addresses:
            yield from self._literal(text, address, Category.ADDRESS)

    def _values(self, text: str) -> Iterator[RecognizerResult]:
        for category, values in self._known.values.items():
            for value in values:
                yield from self._literal(text, value, category)

    def _literal(self, text: str, value: str, category: Category) -> Iterator[RecognizerResult]:
        """``value`` however it is spaced, hyphenated and capitalised; a phone also without its country code."""
        parts = regex.findall(r"\d+|\p{L}+", value)
        if sum(map(len, parts)) < 4:
            return
        if category in (Category.PHONE, Category.FAX):
            parts = list("".join(parts)[-10:])
        between = r"[\s\W]{0,3}"
        inner = between.join(_spelled(part) for part in parts)
        for match in regex.finditer(rf"(?<!\w){inner}(?!\w)", text, regex.IGNORECASE, timeout=TIMEOUT):
            yield RecognizerResult(category, *match.span(), self.score)


_WHO = {RecognizerResult.RECOGNIZER_NAME_KEY: "KnownRecognizer"}


def _forms(people: Sequence[Person]) -> Mapping[str, Person]:
    """Every single word by which one of ``people`` may be called, casefolded; the first named has it."""
    forms: dict[str, Person] = {}
    for person in people:
        for word in (*person.family, *person.given):
            for form in _WORD.findall(word.casefold()):
                for name in (form, *nicknames().get(form, ())):
                    if len(name) > 1:
                        forms.setdefault(name, person)
    return forms


def _initial_before(text: str, start: int) -> int:
    match = regex.search(r"\b\p{Lu}\.?[ ]$", text[max(0, start - 4) : start])
    return start - (match.end() - match.start()) if match else start


def _spelled(part: str) -> str:
    """A pattern for one part of a known value: ``Street`` is also ``St``."""
    forms = _SUFFIXES.get(part.casefold(), {part})
    return "(?:" + "|".join(regex.escape(form) for form in sorted(forms, key=len, reverse=True)) + ")"


_SUFFIXES = {
    form: {long, short}
    for long, short in (pair.split("/") for pair in sorted(listed("street_suffixes")))
    for form in (long, short)
}


def _distance(a: str, b: str) -> int:
    """Edits between two words, a swap of neighbours being one (Damerau-Levenshtein, restricted)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]
