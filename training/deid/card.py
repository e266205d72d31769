"""The card of the bundle, with what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cds.notes.deidentification.evaluation import Evaluation, Recall

LICENCE = "Apache-2.0"
INTENDED_USE = (
    "Finding names, places and organisations in clinical notes in English, beside patterns and what the EHR knows, "  # noqa: E501
    "before a note is read by a model. Not a guarantee of anonymity; never evaluated on real patients' notes."
)


def card(*, sets: Mapping[str, Evaluation], facts: Mapping[str, object]) -> str:
    """``sets`` by name: the whole de-identifier, with nothing known of the patient."""
    text = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    for key, value in facts.items():
        text = text.replace(f"${key}", str(value))
    return text.replace("$figures", "\n\n".join(_section(name, one) for name, one in sets.items()))


def told(evaluation: Evaluation) -> str:
    """Of identifiers known from the EHR: how many are gone, in how many notes."""
    return f"{evaluation.all.removed:,} of {evaluation.all.spans:,} in {evaluation.notes} generated notes"


def _section(name: str, evaluation: Evaluation) -> str:
    head = [
        f"### {name}",
        "",
        f"{evaluation.notes} texts, {evaluation.words} words. Precision {evaluation.precision:.3f}; clinical terms "  # noqa: E501
        f"destroyed per 1,000: {evaluation.terms_destroyed_per_1000:.2f} (of {evaluation.terms}).",
        "",
        "| type | spans | recall (95 % CI) | leaks per 1,000 texts |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *(_row(row) for row in (*evaluation.types, evaluation.all))])


def _row(row: Recall) -> str:
    interval = f"{row.recall:.3f} ({row.low:.3f} to {row.high:.3f})"
    return f"| {row.type} | {row.spans} | {interval} | {row.leaks_per_1000_notes:.1f} |"
