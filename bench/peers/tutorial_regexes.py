"""The patterns that tutorials on de-identifying notes give: titles, dates, phones, numbers with a word before them."""  # noqa: E501

from __future__ import annotations

import re

PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\(?\b\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}\b",
        r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b",
        r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b",
        r"\b\d{4}-\d{2}-\d{2}\b",
        r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2},? \d{4}\b",  # noqa: E501
        r"\bMRN:?\s*#?\s*\d+\b",
        r"\b(?:Dr|Mr|Mrs|Ms)\.? [A-Z][a-z]+(?: [A-Z][a-z]+)?\b",
        r"\bPatient(?: Name)?: [A-Z][a-z]+ [A-Z][a-z]+\b",
        r"\b\d+ [A-Z][a-z]+ (?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr)\b",
        r"\b\d{5}(?:-\d{4})?\b",
        r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
        r"https?://\S+",
    )
)


def spans(text: str) -> list[tuple[int, int]]:
    return [match.span() for pattern in PATTERNS for match in pattern.finditer(text)]
