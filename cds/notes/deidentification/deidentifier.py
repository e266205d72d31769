"""The frame: Presidio's analyzer finds, keyed surrogates replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from cds.errors import NoteError
from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.dates import ANY_FORM
from cds.notes.deidentification.deidentified import Deidentified, Replaced
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.deidentification.lines import unwrapped
from cds.notes.deidentification.recognizers import recognizers
from cds.notes.deidentification.recognizers.classified import ClassifierRecognizer
from cds.notes.deidentification.recognizers.known import PERSON, KnownRecognizer
from cds.notes.deidentification.surrogates import Surrogates

MAX_CHARS = 200_000
PLAIN_YEAR = 2023
"""The year of ``3/14`` in a note that states no other: any without a 29 February keeps the intervals."""


class Deidentifier:
    """Takes identifiers out of notes; made once, used from any thread.

    The same ``key``, known identifiers and text always give the same result.
    """

    def __init__(self, key: bytes, classifier: TokenClassifier | None = None) -> None:
        """Without ``classifier`` by patterns and known identifiers alone, which miss many names and places."""
        if len(key) < 32:
            raise ValueError("the pseudonym key must have 32 bytes or more")
        self._key = key
        # No language model: every recognizer stands on its own.
        engine = NoOpNlpEngine([{"lang_code": "en", "model_name": "none"}])
        engine.load()
        found_by = recognizers()
        if classifier:
            found_by.append(ClassifierRecognizer(classifier))
        self._analyzer = _Analyzer(registry=RecognizerRegistry(found_by), nlp_engine=engine)

    def deidentify(self, text: str, known: KnownIdentifiers) -> Deidentified:
        """Raise :class:`NoteError` for a text that is too long or that takes too long."""
        if len(text) > MAX_CHARS:
            raise NoteError(f"the note is longer than {MAX_CHARS} characters")
        try:
            results = self._analyzer.analyze(
                unwrapped(text),
                language="en",
                entities=[str(c) for c in Category],
                score_threshold=0.0,
                ad_hoc_recognizers=[KnownRecognizer(known)],
            )
        except TimeoutError:
            raise NoteError("the note could not be de-identified in time") from None
        surrogates = Surrogates(self._key, known.subject)
        year = _year_of(text)
        return _rewritten(text, [_replaced(text, group, surrogates, year) for group in _overlapping(results)])


_POSSESSIVE = ("'s", "\u2019s")
"""Not of a name: "Kristin's father" has the surrogate that Kristin has."""


class _Analyzer(AnalyzerEngine):
    """The recognizers know their context themselves; Presidio's own way copies every result, a fifth of all the
    time."""

    def _enhance_using_context(
        self, text: str, raw_results: list[RecognizerResult], *_: object, **__: object
    ) -> list[RecognizerResult]:
        return raw_results


def _overlapping(results: Iterable[RecognizerResult]) -> list[list[RecognizerResult]]:
    """Results that share text, together; so nothing found is left standing because two disagreed."""
    groups: list[list[RecognizerResult]] = []
    end = -1
    for result in sorted(results, key=lambda r: (r.start, -r.end)):
        if result.start < end:
            groups[-1].append(result)
        else:
            groups.append([result])
        end = max(end, result.end)
    return groups


def _replaced(text: str, group: Sequence[RecognizerResult], surrogates: Surrogates, year: int) -> Replaced:
    start, end = min(r.start for r in group), max(r.end for r in group)
    best = max(group, key=lambda r: (r.score, r.end - r.start, r.entity_type != Category.RECORD))
    category = Category(best.entity_type)
    if category is Category.NAME and text.endswith(_POSSESSIVE, start, end):
        end -= 2
    person = (best.recognition_metadata or {}).get(PERSON)
    if person:
        return Replaced(category, start, end, surrogates.tag(category, person.meaning))
    return Replaced(category, start, end, surrogates.replace(category, text[start:end], year=year))


def _rewritten(text: str, replaced: Sequence[Replaced]) -> Deidentified:
    parts, at = [], 0
    for one in replaced:
        parts += [text[at : one.start], one.surrogate]
        at = one.end
    return Deidentified("".join([*parts, text[at:]]), tuple(replaced))


def _year_of(text: str) -> int:
    """The year of the first complete date, which dates without a year are taken to share."""
    stated = (match["year"] for match in ANY_FORM.finditer(text))
    return next((int(year) for year in stated if year and len(year) == 4), PLAIN_YEAR)
