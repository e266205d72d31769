"""What we tell is kept: the cards of an answer with the prescreen they come of, for the feedback that may come."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cds import app_context
from cds.audit.journal import Write
from cds.findings import Finding, Prescreen
from cds.hooks import cards
from cds.hooks.call import Call
from cds.hooks.cards import Card, Statement, Suggestion
from cds.hooks.chart import fhir_base
from cds.hooks.overrides import Overrides
from cds.reporting import words
from cds.reporting.record import Record


@dataclass(frozen=True, slots=True)
class Given:
    """A card as it is given, and what is kept of it; a suggestion's resource may name the patient and is not."""

    uuid: str
    topic: str
    card: Card
    kept: Mapping[str, Any]


def _no_suggestion(worst: Finding) -> list[Suggestion]:
    return []


@dataclass(frozen=True, slots=True)
class Telling:
    """Makes and keeps cards; their links to the app are signed with ``handle_key``.

    What was overridden within ``override_window`` is not said again (:mod:`cds.hooks.overrides`); without a window
    it always is.
    """

    record: Record
    base_url: str
    handle_key: bytes
    override_window: timedelta

    def __call__(
        self,
        call: Call,
        prescreen: Prescreen,
        findings: Sequence[Finding],
        overrides: Overrides,
        *,
        suggestions: Callable[[Finding], Sequence[Suggestion]] = _no_suggestion,
        besides: Iterable[Statement] = (),
        also: Iterable[Write] = (),
    ) -> list[Card]:
        """One card about those of ``findings`` that are news, and one for each other statement that is.

        What is news is by ``overrides``, those of :meth:`overrides`.
        ``suggestions`` gives what the worst of them suggests. What is ``also`` to be written goes into the
        transaction that keeps the cards.
        """
        said = [statement for statement in besides if not overrides.hold_for_all_of(statement)]
        if news := [finding for finding in findings if not overrides.hold_for(finding, prescreen)]:
            said.insert(0, self._of_findings(prescreen, news, suggestions(news[0])))
        given = [self._given(call, prescreen, statement) for statement in said]
        self.record.answered(call.client.tenant, call.hook.service.id, prescreen, given, call.trail, *also)
        return [one.card for one in given]

    def overrides(self, call: Call) -> Overrides:
        """Of the call's patient, within the window. To be read before the look: afterwards there is no time."""
        if not self.override_window:
            return Overrides({})
        since, base = datetime.now(UTC) - self.override_window, fhir_base(call.client, call.hook)
        return Overrides.of(self.record.outcomes(call.client.tenant, base, call.patient, since))

    def _of_findings(
        self, prescreen: Prescreen, findings: Sequence[Finding], suggestions: Sequence[Suggestion]
    ) -> Statement:
        now, link = datetime.now(UTC), self.link(prescreen)
        return cards.of_findings(prescreen, findings, now=now, link=link, suggestions=suggestions)

    def link(self, prescreen: Prescreen) -> dict[str, str]:
        """Opens the app on the prescreen."""
        return {
            "label": "See the image, the notes and the reasons",
            "url": f"{self.base_url}/smart/launch",
            "type": "smart",
            "appContext": app_context.issue(self.handle_key, prescreen.id),
        }

    def _given(self, call: Call, prescreen: Prescreen, statement: Statement) -> Given:
        # A prescreen is one tenant's, one patient's and one result: its id makes these part of the card's uuid.
        asked = uuid.uuid5(uuid.UUID(prescreen.id), f"{call.hook.service.id}/{call.hook.hook_instance}")
        card = statement.given(asked, self.base_url)
        kept = {
            "summary": card["summary"],
            "indicator": card["indicator"],
            "suggestions": [{"uuid": s["uuid"], "label": s["label"]} for s in card.get("suggestions", ())],
            "says": dict(statement.says),
            "study": prescreen.study.study_uid if prescreen.study else None,
            "models": [words.model(model) for model in prescreen.models],
            "clinician": f"{prescreen.fhir_server}/{call.hook.context.user}",
        }
        return Given(card["uuid"], statement.topic.code, card, kept)
