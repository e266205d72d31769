"""What of the de-identified notes goes to the model: newest first, about the patient, and only so much."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cds.notes.deidentification.surrogates import TAG

MAX_CHARS = 4000
"""About a thousand tokens, five windows of the model; a note on a chest complaint is seldom longer."""

_HEADING = re.compile(
    r"^[ \t]*(?:(?P<title>[A-Z][A-Za-z/&' -]{1,40}?)[ \t]*:|(?P<caps>[A-Z][A-Z/&' -]{2,40})[ \t]*$)"
)
_ABOUT_OTHERS = re.compile(
    r"family|family( and social)?( medical)? (history|hx)|fam hx|fhx?|(maternal|paternal) .*|mother|father|parents|"
    r"brothers?|sisters?|siblings|sons?|daughters?|children|allergies|immunizations?|insurance|care team|"
    r"advance directives?|demographics",
    re.IGNORECASE,
)
"""Sections that say nothing of what the patient has now."""


def prepare(texts: Sequence[str]) -> str:
    """De-identified notes, newest first, as one text for the model; empty where they say nothing.

    Sections about others are left out, surrogates lose their code (``[NAME-K7Q2XA]`` says no more to a model
    than ``[name]``), and reading stops at ``MAX_CHARS``.
    """
    return "\n\n".join(part for text in texts if (part := _normalised(text)))[:MAX_CHARS]


def _normalised(text: str) -> str:
    plain = TAG.sub(lambda match: f"[{match['category'].lower()}]", "\n".join(_about_the_patient(text)))
    return re.sub(r"\n{2,}", "\n", re.sub(r"[^\S\n]+|[_=*~-]{3,}", " ", plain)).strip()


def _about_the_patient(text: str) -> Iterator[str]:
    """The lines of ``text`` but for those of sections that are about others."""
    skipping = False
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            title = heading["title"] or heading["caps"]
            skipping = _ABOUT_OTHERS.fullmatch(title.strip()) is not None
        elif not line.strip():
            skipping = False
        if not skipping:
            yield line
