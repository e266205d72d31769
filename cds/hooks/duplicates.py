"""Draft imaging orders that seem to repeat what was done lately, or what stands in the same Bundle.

A draft is a possible duplicate where the same part of the body was imaged in the same way within the window, or
where an earlier draft asks for the very same. A study may be repeated on purpose: where the order's reason, notes
or name speak of a follow-up or of a tube or line to be checked, where it is the film in which something of high
probability was found, and its part of the body for any such finding that cannot wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from cds.ehr import imaging_studies
from cds.ehr.datatypes import Resource, called, element, elements, local_reference, string, words
from cds.ehr.imaging_procedure import Procedure, of_order, of_study
from cds.findings import Level, Prescreen
from cds.hooks.cards import Statement, Topic, coded_reasons, with_suggestions
from cds.reporting.words import age, markdown

TOPIC = Topic("duplicate-order", "Possible duplicate imaging order")

OVERRIDE_REASONS = coded_reasons(
    ("different-question", "This order answers another question"),
    ("condition-changed", "The patient's condition has changed since"),
    ("planned-follow-up", "Planned follow-up, or check after a procedure"),
    ("earlier-inadequate", "The earlier study was not adequate"),
)

_DEVICE = r"(tube|line|drain|catheter|picc|ett|ngt|lead)s?"
_REPETITION_IS_MEANT = re.compile(
    r"\bfollow(ing)?[ -]?up|\brepeat|\binterval change"
    r"|\bpost[ -]?(op\b|operative|procedur|intubation|placement|insertion|removal)"
    rf"|\b(after|s/p|status post|confirm|check|verify)\b.{{0,40}}\b{_DEVICE}\b"
    rf"|\b{_DEVICE} (position|placement|check|removal|insertion)",
    re.IGNORECASE,
)
_READ = 500
"""How much of an order's words is read."""


@dataclass(frozen=True, slots=True)
class Study:
    """An ImagingStudy of the chart, as far as it can be repeated."""

    reference: str
    procedure: Procedure
    started: datetime
    modality: str
    """DICOM codes, as the EHR gives them."""
    description: str


def studies(chart: Iterable[Resource]) -> list[Study]:
    """Those ImagingStudy resources that took place at a known time, in the order given."""
    return [
        Study(local_reference(one), of_study(one), started, _modalities(one), string(one, "description"))
        for one in chart
        if (started := imaging_studies.started(one)) and string(one, "status") not in imaging_studies.UNUSABLE
    ]


def possible_duplicates(
    orders: Iterable[Resource],
    among: Sequence[Resource],
    done: Iterable[Study],
    prescreen: Prescreen,
    *,
    window: timedelta,
    now: datetime,
) -> Iterator[Statement]:
    """Cards about those of ``orders``, imaging orders ``among`` the drafts, that seem to repeat something.

    Orders that ask for the same share one card.
    """
    recent = [one for one in done if one.started >= now - window and not _calls_for_another(one, prescreen)]
    wanted = set(map(id, orders))
    for place, (procedure, alike) in enumerate(_by_what_they_ask_for(among)):
        asked = [order for order in alike if id(order) in wanted]
        study = next((one for one in recent if one.procedure.is_repeated_by(procedure)), None)
        unmeant = [order for order in asked if not _REPETITION_IS_MEANT.search(_purpose(order))]
        again = [order for order in asked if order is not alike[0]]
        if study and unmeant:
            yield _repeats_study(place, unmeant, study, now)
        elif again:
            yield _repeats_draft(place, again, procedure, times=len(alike))


def _by_what_they_ask_for(drafts: Iterable[Resource]) -> Iterable[tuple[Procedure, list[Resource]]]:
    """The imaging orders among ``drafts``; one that has no code is like no other."""
    by_what: dict[bytes | int, tuple[Procedure, list[Resource]]] = {}
    for order in drafts:
        if procedure := of_order(order):
            what = _asked_for(order) if element(order, "code") else id(order)
            by_what.setdefault(what, (procedure, []))[1].append(order)
    return by_what.values()


def _calls_for_another(study: Study, prescreen: Prescreen) -> bool:
    high = [finding for finding in prescreen.findings if finding.level is Level.HIGH]
    seen = prescreen.study is not None and prescreen.study.reference == study.reference
    return any((seen or f.type.time_critical) and study.procedure.may_show(f.type.region) for f in high)


def _purpose(order: Resource) -> str:
    """Everything that an order says of its purpose."""
    concepts = [element(order, "code"), *elements(order, "reasonCode"), *elements(order, "orderDetail")]
    notes = [string(note, "text") for note in elements(order, "note")]
    return " ; ".join([*map(words, concepts), *notes])[:_READ]


def _asked_for(order: Resource) -> bytes:
    """What is done, where and when: two chest films on two mornings are not the same order."""
    fields = ("code", "bodySite", "orderDetail", "occurrenceDateTime", "occurrencePeriod", "occurrenceTiming")
    return orjson.dumps([order.get(field) for field in fields], option=orjson.OPT_SORT_KEYS)


def _repeats_study(place: int, orders: Sequence[Resource], study: Study, now: datetime) -> Statement:
    when, old = f"{study.started:%Y-%m-%d %H:%M}", age(study.started, now)
    said = f", *{markdown(study.description)}*" if study.description.strip() else ""
    return _statement(
        place,
        orders,
        repeats=f"{study.reference}/{study.procedure}",
        summary=f"Possible duplicate: {study.procedure} of {when} is on record ({old})",
        detail=f"**On record:** {markdown(study.modality)}, {when} ({old}){said}",
    )


def _repeats_draft(place: int, orders: Sequence[Resource], procedure: Procedure, *, times: int) -> Statement:
    often = "twice" if times == 2 else f"{times} times"
    return _statement(
        place,
        orders,
        repeats=f"draft/{procedure}",
        summary=f"Possible duplicate: {procedure} is ordered {often} here",
        detail=f"**Ordered {often}:** {markdown(called(element(orders[0], 'code')) or str(procedure))}",
    )


def _statement(place: int, orders: Sequence[Resource], *, repeats: str, summary: str, detail: str) -> Statement:
    # What the EHR gave no id it cannot be told to remove.
    removable = [local_reference(order) for order in orders if string(order, "id")]
    card = {"summary": summary, "indicator": "info", "detail": detail, "overrideReasons": OVERRIDE_REASONS}
    return Statement(
        about=f"{TOPIC.code}/{place}",
        topic=TOPIC,
        says={f"{TOPIC.code}/{repeats}": "info"},
        card=with_suggestions(card, [_delete(removable)] if removable else []),
    )


def _delete(references: Sequence[str]) -> Mapping[str, Any]:
    many = len(references) > 1
    return {
        "label": f"Remove these {len(references)} orders" if many else "Remove this order",
        "actions": [
            {"type": "delete", "description": "Remove the draft order", "resourceId": reference}
            for reference in references
        ],
    }


def _modalities(study: Resource) -> str:
    stated = [string(coding, "code") for coding in elements(study, "modality")]
    series = (string(element(one, "modality"), "code") for one in elements(study, "series"))
    return "/".join(dict.fromkeys(filter(None, [*stated, *series])))
