"""Alternatives grouped by letter match what they did in a row."""

import pytest
import regex

from cds.notes.deidentification.recognizers.alternatives import by_letter


@pytest.mark.parametrize(
    ("pattern", "grouped"),
    [
        ("may|june|march", "ma(?:y|rch)|june"),
        ("pt name|pt", "pt(?: name|)"),
        ("(?:good|black) friday", "good friday|black friday"),
        ("(?:co-)?signed", "co-signed|signed"),
        ("a?b|ac", "a?b|ac"),
        (r"sea|[^|)]|\.|son", r"sea|[^|)]|\.|son"),
    ],
)
def test_what_begins_alike_stands_together(pattern: str, grouped: str) -> None:
    assert by_letter(pattern) == grouped


@pytest.mark.parametrize(
    "pattern",
    [
        "pt name|pt|patient(?:'s)? name|patient",
        "(?:the )?(?:4th|fourth) of july|thursday|the end",
        "seen|s(?:een)? by|see",
    ],
)
def test_the_same_is_found(pattern: str) -> None:
    said = (
        "pt name: patient's name; patient. the fourth of july, 4th of july. thursday the end, seen by see s by pt"
    )
    plain, grouped = (regex.findall(rf"\b(?:{form})\b", said) for form in (pattern, by_letter(pattern)))
    assert grouped == plain
    assert plain
