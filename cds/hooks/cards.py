"""Cards (CDS Hooks 2.0, "CDS Service Response"): a prescreen as a busy clinician reads it.

A card is first a :class:`Statement`, which knows what it speaks of and how strongly; what depends on the call, its
uuids above all, is added when it is given.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds.findings import Finding, Level, Prescreen, StudySeen
from cds.reporting import codes, words

Card = dict[str, Any]
Suggestion = Mapping[str, Any]

_SUMMARY_LIMIT = 139


@dataclass(frozen=True, slots=True)
class Topic:
    """What a card is about, for whoever counts cards: ``source.topic``."""

    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A card that is not given yet."""

    about: str
    """Tells it from the other cards of the same answer."""
    topic: Topic
    says: Mapping[str, str]
    """How strongly it speaks of what: levels of findings by key, ``info`` for anything else."""
    card: Card

    def given(self, call: uuid.UUID, base_url: str) -> Card:
        """The whole card; the same call, the same uuids."""
        own = uuid.uuid5(call, self.about)
        card = {"uuid": str(own), **self.card, "summary": _cut(self.card["summary"])}
        card["source"] = {
            "label": "Sightline imaging prescreen",
            "url": base_url,
            "topic": {"system": f"{codes.CANONICAL}/CodeSystem/card-topic", **_coding(self.topic)},
        }
        if suggestions := self.card.get("suggestions"):
            card["suggestions"] = [
                {"uuid": str(uuid.uuid5(own, str(place))), **one} for place, one in enumerate(suggestions)
            ]
        return card


def coded_reasons(*reasons: tuple[str, str]) -> list[dict[str, str]]:
    """Override reasons by code and display, as codings."""
    system = f"{codes.CANONICAL}/CodeSystem/override-reason"
    return [{"system": system, "code": code, "display": display} for code, display in reasons]


OVERRIDE_REASONS = coded_reasons(
    ("already-known", "Already known and acted on"),
    ("not-clinically-significant", "Not clinically significant for this patient"),
    ("disagree", "I disagree with the finding"),
    ("will-review-images", "I will look at the images myself"),
)
"""Of a card about a finding."""

NOT_AVAILABLE = Topic("not-available", "Prescreen not available")
FILM_IN_DOUBT = Topic("film-in-doubt", "Film in doubt")


def with_suggestions(card: Card, suggestions: Sequence[Suggestion]) -> Card:
    """Any of them may be taken up; an EHR that is told of none must not be told how many."""
    return card | {"suggestions": list(suggestions), "selectionBehavior": "any"} if suggestions else card


def of_findings(
    prescreen: Prescreen,
    findings: Sequence[Finding],
    *,
    now: datetime,
    link: Mapping[str, str],
    suggestions: Sequence[Suggestion] = (),
) -> Statement:
    """One card for all ``findings``, worst first; ``link`` opens the app on the prescreen."""
    worst = findings[0]
    card: Card = {
        "summary": _summary(findings),
        "indicator": indicator(worst),
        "detail": _detail(prescreen, findings, now),
        "overrideReasons": OVERRIDE_REASONS,
        "links": [dict(link)],
    }
    return Statement(
        about=worst.key,
        topic=Topic(worst.key, worst.type.display),
        says={finding.key: finding.level.value for finding in findings},
        card=with_suggestions(card, suggestions),
    )


def of_nothing_seen(prescreen: Prescreen) -> Statement:
    """That neither image nor notes could be looked at, and why."""
    reasons = [missing.reason for missing in sorted(prescreen.missing, key=lambda m: not m.fault)]
    card = {
        "summary": "No imaging prescreen: " + reasons[0],
        "indicator": "info",
        "detail": "\n\n".join(map(_not_seen, reasons)),
        "overrideReasons": coded_reasons(("will-review-images", "I will look at the images myself")),
    }
    return Statement(about=NOT_AVAILABLE.code, topic=NOT_AVAILABLE, says={NOT_AVAILABLE.code: "info"}, card=card)


def of_film_in_doubt(
    prescreen: Prescreen, film: StudySeen, *, now: datetime, link: Mapping[str, str]
) -> Statement:
    """That nothing was found, on a film that may be none to find anything on."""
    card = {
        "summary": "AI prescreen: " + words.in_doubt(prescreen),
        "indicator": "info",
        "detail": _detail(prescreen, (), now),
        "overrideReasons": coded_reasons(("will-review-images", "I will look at the images myself")),
        "links": [dict(link)],
    }
    says = {f"{FILM_IN_DOUBT.code}/{film.instance_uid}": "info"}
    return Statement(about=FILM_IN_DOUBT.code, topic=FILM_IN_DOUBT, says=says, card=card)


def indicator(worst: Finding) -> str:
    """``critical`` for what is HIGH and cannot wait, ``warning`` for what is HIGH, else ``info``."""
    if worst.level is not Level.HIGH:
        return "info"
    return "critical" if worst.type.time_critical else "warning"


def _summary(findings: Sequence[Finding]) -> str:
    worst, more = findings[0], len(findings) - 1
    others = f"; {more} more" if more else ""
    where = f", {where}" if (where := words.key_slice(worst)) else ""
    return f"AI prescreen: {worst.type.display}: {_claim(worst)}{where}{others}"


def _claim(finding: Finding) -> str:
    """How sure, how probable, and on whose word; where the parts disagree, what each says."""
    sure, image, note = words.level(finding), words.part(finding.image), words.part(finding.note)
    if finding.level is Level.REVIEW and finding.disputed:
        return f"{sure} (image {image}, note {note})"
    if finding.disputed:
        return f"{sure} ({words.percent(finding.probability)}), but image {image}, note {note}"
    basis = {(True, True): "image and note", (True, False): "image only", (False, True): "note only"}
    seen = basis.get((finding.image is not None, finding.note is not None), "")
    return f"{sure} ({words.percent(finding.probability)}), {seen}"


def _detail(prescreen: Prescreen, findings: Sequence[Finding], now: datetime) -> str:
    rows = [
        f"| {f.type.display} | {words.level(f)} | {words.together(f)} "
        f"| {words.image_part(f)} | {words.part(f.note)} |"
        for f in findings
    ]
    models = ", ".join(words.model(model) for model in prescreen.models)
    table = ["| Finding | Confidence | Together | Image | Note |", "|---|---|---|---|---|", *rows]
    return "\n\n".join(
        [
            *(["\n".join(table)] if rows else []),
            f"**Seen:** {words.markdown(words.seen_by(now, prescreen))}",
            *_in_doubt(prescreen),
            *(_not_seen(missing.reason) for missing in prescreen.missing),
            f"**Models:** {words.markdown(models)}",
            f"*{words.DISCLAIMER}*",
        ]
    )


def _in_doubt(prescreen: Prescreen) -> list[str]:
    doubt = words.in_doubt(prescreen)
    return [f"**In doubt:** {words.markdown(doubt)}"] if doubt else []


def _not_seen(reason: str) -> str:
    return f"**Not seen:** {words.markdown(reason)}"


def _coding(topic: Topic) -> dict[str, str]:
    return {"code": topic.code, "display": topic.display}


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SUMMARY_LIMIT else line[: _SUMMARY_LIMIT - 1].rstrip() + "…"
