"""``cds feedback report``: what became of our cards, by topic and model version.

A card counts once, by the last that was told of it; one that nobody told of was ignored, or its EHR sends no
feedback. An override's reason counts under its code where it is one of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from cds.errors import ConfigurationError
from cds.hooks import cards, duplicates
from cds.registration import Registrations
from cds.settings import Settings
from cds.store import cards as kept_cards
from cds.store.database import Database

_REASONS = frozenset(reason["code"] for reason in (*cards.OVERRIDE_REASONS, *duplicates.OVERRIDE_REASONS))
_EVER = datetime.min.replace(tzinfo=UTC)
_HEADER = ("tenant", "topic", "models", "shown", "accepted", "overridden", "ignored", "clinicians", "reasons")
_NUMBERS = frozenset({"shown", "accepted", "overridden", "ignored", "clinicians"})


@dataclass
class Line:
    """The cards of one topic that came of the same models; shown = accepted + overridden + ignored."""

    tenant: str
    topic: str
    models: tuple[str, ...]
    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    ignored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """How often which reason was given for overriding."""
    clinicians: set[str] = field(default_factory=set)
    """To whom the cards were shown."""

    def count(self, card: Mapping[str, Any], outcome: str | None, told: Mapping[str, Any]) -> None:
        self.shown += 1
        self.accepted += outcome == "accepted"
        self.overridden += outcome == "overridden"
        self.ignored += outcome is None
        if outcome == "overridden":
            self.reasons[_reason(told)] += 1
        if clinician := card.get("clinician"):
            self.clinicians.add(clinician)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"reasons": dict(self.reasons), "clinicians": len(self.clinicians)}

    def as_row(self) -> list[str]:
        values = self.as_json() | {
            "models": ", ".join(self.models) or "-",
            "reasons": ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common()) or "-",
        }
        return [str(values[name]) for name in _HEADER]


def day(text: str | None) -> datetime:
    """The first moment of a day in UTC, of all time without one; :class:`ConfigurationError` for what is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if text else _EVER
    except ValueError:
        raise ConfigurationError("--since must be a day such as 2026-11-22") from None


def tenants(settings: Settings, named: str | None) -> list[str]:
    """The one that is named, else all that are registered."""
    registered = {registration.tenant for registration in Registrations.from_settings(settings)}
    if not named and not registered:
        raise ConfigurationError("no EHR is registered (CDS_REGISTRATIONS_FILE); name a tenant")
    return [named] if named else sorted(registered)


def read(database: Database, tenant: str, since: datetime) -> list[Line]:
    """The lines of one tenant, by topic and models."""
    lines: dict[tuple[str, tuple[str, ...]], Line] = {}
    with database.transaction(tenant) as connection:
        for card, outcome, told in kept_cards.outcomes_since(connection, tenant, since):
            topic, models = card["topic"], tuple(card.get("models", ()))
            line = lines.setdefault((topic, models), Line(tenant, topic, models))
            line.count(card, outcome, told)
    return [lines[key] for key in sorted(lines)]


def table(lines: Sequence[Line]) -> str:
    """Columns under their names; one sentence where there is nothing to show."""
    if not lines:
        return "No cards were given."
    rows = [list(_HEADER), *(line.as_row() for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: Iterable[str], widths: Iterable[int]) -> str:
    cells = zip(_HEADER, row, widths, strict=True)
    return "  ".join(
        text.rjust(width) if name in _NUMBERS else text.ljust(width) for name, text, width in cells
    ).rstrip()


def _reason(told: Mapping[str, Any]) -> str:
    given = told.get("overrideReason")
    coding = given.get("reason") if isinstance(given, dict) else None
    code = coding.get("code") if isinstance(coding, dict) else None
    if isinstance(code, str) and code in _REASONS:
        return code
    return "other" if given else "none given"
