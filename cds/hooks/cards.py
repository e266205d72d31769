"""Cards (CDS Hooks 2.0, "CDS Service Response"): a prescreen as a busy clinician reads it.

No card when there is nothing to say.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from cds.findings import Finding, Level, Prescreen
from cds.reporting import codes, words

Card = dict[str, Any]

_SUMMARY_LIMIT = 139
_TOPICS = f"{codes.CANONICAL}/CodeSystem/card-topic"

OVERRIDE_REASONS = [
    {"system": f"{codes.CANONICAL}/CodeSystem/override-reason", "code": code, "display": display}
    for code, display in (
        ("already-known", "Already known and acted on"),
        ("not-clinically-significant", "Not clinically significant for this patient"),
        ("disagree", "I disagree with the finding"),
        ("will-review-images", "I will look at the images myself"),
    )
]


def cards(prescreen: Prescreen, orders: Sequence[Mapping[str, Any]], base_url: str, handle: str) -> list[Card]:
    """At most one card: the worst finding, or what went wrong where nothing at all could be seen."""
    findings = words.worth_saying(prescreen)
    if findings:
        return [_finding_card(prescreen, findings, orders, base_url, handle)]
    if not prescreen.findings and any(missing.fault for missing in prescreen.missing):
        return [_nothing_seen_card(prescreen, base_url)]
    return []


def _finding_card(
    prescreen: Prescreen,
    findings: Sequence[Finding],
    orders: Sequence[Mapping[str, Any]],
    base_url: str,
    handle: str,
) -> Card:
    worst = findings[0]
    card: Card = {
        "uuid": str(uuid.uuid4()),
        "summary": _summary(prescreen, findings),
        "indicator": _indicator(worst),
        "detail": _detail(prescreen, findings),
        "source": _source(base_url, worst.key, worst.type.display),
        "overrideReasons": OVERRIDE_REASONS,
        "links": [
            {
                "label": "See the image, the notes and the reasons",
                "url": f"{base_url}/smart/launch",
                "type": "smart",
                "appContext": handle,
            }
        ],
    }
    if suggestions := _suggestions(worst, orders):
        card |= {"suggestions": suggestions, "selectionBehavior": "any"}
    return card


def _nothing_seen_card(prescreen: Prescreen, base_url: str) -> Card:
    reasons = [missing.reason for missing in sorted(prescreen.missing, key=lambda m: not m.fault)]
    return {
        "uuid": str(uuid.uuid4()),
        "summary": _cut("No imaging prescreen: " + reasons[0]),
        "indicator": "info",
        "detail": "\n".join(f"- {reason}" for reason in reasons),
        "source": _source(base_url, "not-available", "Prescreen not available"),
    }


def _summary(prescreen: Prescreen, findings: Sequence[Finding]) -> str:
    worst, more = findings[0], len(findings) - 1
    subject = f"{worst.type.display}: {words.LEVEL_IN_WORDS[worst.level]} ({words.percent(worst.probability)})"
    basis = {(True, True): "image and note", (True, False): "image only", (False, True): "note only"}
    seen = basis.get((worst.image is not None, worst.note is not None), "")
    others = f"; {more} more" if more else ""
    return _cut(f"AI prescreen: {subject}, {seen}{others}")


def _indicator(worst: Finding) -> str:
    if worst.level is not Level.HIGH:
        return "info"
    return "critical" if worst.type.time_critical else "warning"


def _detail(prescreen: Prescreen, findings: Sequence[Finding]) -> str:
    rows = [
        f"| {f.type.display} | {words.LEVEL_IN_WORDS[f.level]} | {words.percent(f.probability)} "
        f"| {words.part(f.image)} | {words.part(f.note)} |"
        for f in findings
    ]
    not_seen = [f"**Not seen:** {missing.reason}" for missing in prescreen.missing]
    models = ", ".join(f"{m.name} {m.version} ({m.digest[:8]})" for m in prescreen.models)
    return "\n\n".join(
        [
            "\n".join(["| Finding | Confidence | Together | Image | Note |", "|---|---|---|---|---|", *rows]),
            f"**Seen:** {words.seen(prescreen)}",
            *not_seen,
            f"**Models:** {models}",
            f"*{words.DISCLAIMER}*",
        ]
    )


def _suggestions(worst: Finding, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A time-critical HIGH finding with an order that can wait: offer to make it stat."""
    if worst.level is not Level.HIGH or not worst.type.time_critical:
        return []
    return [
        {
            "label": "Change the order's priority to STAT",
            "uuid": str(uuid.uuid4()),
            "isRecommended": True,
            "actions": [
                {
                    "type": "update",
                    "description": f"Priority stat, because {worst.type.display.lower()} is likely",
                    "resource": {**order, "priority": "stat"},
                }
            ],
        }
        for order in orders
        if order.get("status", "draft") == "draft" and order.get("priority", "routine") == "routine"
    ]


def _source(base_url: str, code: str, display: str) -> dict[str, Any]:
    return {
        "label": "Sightline imaging prescreen",
        "url": base_url,
        "topic": {"system": _TOPICS, "code": code, "display": display},
    }


def _cut(text: str) -> str:
    return text if len(text) <= _SUMMARY_LIMIT else text[: _SUMMARY_LIMIT - 1].rstrip() + "…"
