"""One of everything that the service emits, by the profile that it claims."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cds.audit import balp
from cds.audit.balp import Exchange, Outcome, Party, User
from cds.findings import Judgement, Level, Opinion, Review, Verdict
from cds.reporting import models, opinions, resources, tasks
from cds.reporting.signed import signed
from tests.prescreens import DEIDENTIFIER, FUSION, IMAGE_MODEL, NOTE_MODEL, PNEUMOTHORAX, in_doubt, prescreen

Resource = dict[str, Any]

SERVER = "https://ehr.example/fhir"
NOW = "2026-11-22T09:30:00.000+00:00"
US = Party("sightline", "https://cds.example")
EHR = Party(SERVER, SERVER)
CALLER = Party("growth-app", "192.0.2.7")
USER = User(SERVER, "Practitioner/1")
ASKED = Exchange(US, EHR, US, USER, "jti-1", "request-1")
SERVED = Exchange(CALLER, US, US, USER, "jti-2")
WHOLE = prescreen(models=(IMAGE_MODEL, NOTE_MODEL, DEIDENTIFIER, FUSION))
IN_DOUBT = in_doubt(findings=(replace(PNEUMOTHORAX, level=Level.REVIEW),))
WITHOUT_IMAGE = replace(WHOLE, study=None, models=(NOTE_MODEL,), findings=(replace(PNEUMOTHORAX, image=None),))

RESULTS = {
    "Device": "model-version",
    "Observation": "ai-finding",
    "DiagnosticReport": "ai-prescreen",
    "Provenance": "ai-authorship",
    "Task": "review-task",
    "DocumentReference": "model-card",
}

EVENTS: dict[str, tuple[str, Resource]] = {
    "patient read": ("balp-patient-read", balp.patient_read(ASKED, "Patient/1", "ImagingStudy/2")),
    "patient vread": ("balp-patient-read", balp.patient_read(SERVED, "Patient/1", "DiagnosticReport/2", "vread")),
    "read": ("balp-read", balp.read(SERVED, "Device/1")),
    "patient query": ("balp-patient-query", balp.patient_query(ASKED, "Patient/1", "GET Observation?patient=1")),
    "query": ("balp-query", balp.query(SERVED, "GET Device")),
    "patient create": ("balp-patient-create", balp.patient_create(ASKED, "Patient/1", "DiagnosticReport/2")),
    "patient update": ("balp-patient-update", balp.patient_update(ASKED, "Patient/1", "DiagnosticReport/2")),
    "token": (
        "balp-token",
        balp.token_obtained(ASKED, {"grant_type": "client_credentials", "scope": "system/*.rs"}),
    ),
    "hook call": ("hook-call", balp.hook_call(ASKED, "imaging-prescreen", "Patient/1")),
    "feedback": ("hook-call", balp.hook_call(ASKED, "imaging-prescreen/feedback")),
    "inference": (
        "inference",
        balp.inference(
            ASKED,
            "Patient/1",
            inputs=["ImagingStudy/2", "DocumentReference/3"],
            models=[IMAGE_MODEL, NOTE_MODEL],
        ),
    ),
    "assessment": ("hook-call", balp.assessment(SERVED, "assess", [NOTE_MODEL])),
    "maintenance": (
        "maintenance",
        balp.maintenance(Exchange(US, US, US), "patient-delete", {"card": 2}, "Patient/1"),
    ),
    "model change": ("model-change", balp.model_change(Exchange(US, US, US), IMAGE_MODEL, "Device/1")),
    "bulk export": ("bulk-export", balp.bulk_export(SERVED, "asked for", "GET $export?_type=AuditEvent")),
}

UNPROFILED: dict[str, Resource] = {
    "refusal": balp.refusal(ASKED, "imaging-prescreen", "the token has expired"),
    "logout": balp.logged_out(SERVED),
    "model activated": balp.model_activated(Exchange(US, US, US, USER), IMAGE_MODEL),
    "failed read": balp.failed(
        balp.patient_read(ASKED, "Patient/1", "ImagingStudy/2"), "answered 403", Outcome.MINOR_FAILURE
    ),
    "failed query": balp.failed(balp.query(SERVED, "GET X"), "no", Outcome.MINOR_FAILURE, code="forbidden"),
}
"""Base R4 is all that they claim: whatever did not succeed, and what an operator's command writes."""


REVIEW = Review(
    "7b4e28ba-2fa1-41d2-883f-0016d3cca427",
    WHOLE.id,
    "Practitioner/1",
    tuple(Judgement(finding.key, Verdict.AGREE) for finding in WHOLE.findings),
    "Compared with 2024.",
    datetime(2026, 11, 22, 10, tzinfo=UTC),
)
DISAGREES = replace(
    REVIEW,
    judgements=tuple(Judgement(finding.key, Verdict.DISAGREE, "An old scar.") for finding in WHOLE.findings),
)


def results() -> dict[str, tuple[str, Resource]]:
    """The resources of prescreens, as they are stored and served: with all parts, without an image, in doubt."""
    found: dict[str, tuple[str, Resource]] = {}
    for name, one in {"whole": WHOLE, "without image": WITHOUT_IMAGE, "in doubt": IN_DOUBT}.items():
        task = tasks.review(one)
        written = [*resources.resources(one), *([task] if task else [])]
        for number, resource in enumerate(written):
            kind = resource["resourceType"]
            located = resources.located(resource, written, one.fhir_server)
            found[f"{name}: {kind} {number}"] = (RESULTS[kind], located)
    card = models.model_card(IMAGE_MODEL, "# A model\n\nWhat it is for.\n")
    return found | {"model card": (RESULTS["DocumentReference"], card)}


def recall() -> dict[str, tuple[str, Resource]]:
    """What the recall of a model version adds."""
    device = {**resources.device(IMAGE_MODEL), "status": "inactive"}
    task = {**tasks.second_look(WHOLE, "It was recalled."), "authoredOn": NOW, "lastModified": NOW}
    event = balp.model_withdrawn(Exchange(US, US, US, USER), "chest-radiograph 1.0.0", "a" * 64, "Device/1")
    return {
        "recall: Device": (RESULTS["Device"], device),
        "recall: Task": (RESULTS["Task"], resources.located(task, resources.resources(WHOLE), SERVER)),
        "recall: AuditEvent": ("model-change", event),
    }


def signatures(review: Review) -> dict[str, tuple[str, Resource]]:
    """What becomes of the first of them when a clinician signs."""
    written = resources.resources(WHOLE)
    held = [resources.located(one, written, SERVER) for one in written if one["resourceType"] != "Device"]
    made = enumerate(signed(WHOLE, review, held, "final"))
    return {f"signed: {one['resourceType']} {number}": (RESULTS[one["resourceType"]], one) for number, one in made}


OPINION = Opinion(
    "7b4e28ba-2fa1-41d2-883f-0016d3cca428",
    WHOLE.id,
    "Practitioner/1",
    (Judgement(WHOLE.findings[0].key, Verdict.DISAGREE, "A skin fold."),),
    "Compared with 2024.",
    datetime(2026, 11, 22, 10, tzinfo=UTC),
)


def said() -> dict[str, tuple[str, Resource]]:
    """What a clinician says of them without signing."""
    whole, comment = opinions.observation(WHOLE, OPINION), replace(OPINION, judgements=())
    return {
        "opinion: findings and a comment": ("clinician-opinion", whole),
        "opinion: findings alone": (
            "clinician-opinion",
            opinions.observation(WHOLE, replace(OPINION, comment="")),
        ),
        "opinion: a comment alone": ("clinician-opinion", opinions.observation(WHOLE, comment)),
        "opinion: over": ("clinician-opinion", {**whole, "status": opinions.OVER}),
    }


EMITTED: dict[str, tuple[str, Resource]] = {**results(), **EVENTS, **recall(), **signatures(REVIEW), **said()}


def changed(name: str, change: Callable[[Resource], object]) -> tuple[str, Resource]:
    """What is emitted under ``name``, with a mistake in it."""
    profile, resource = EMITTED[name]
    mistaken = copy.deepcopy(resource)
    change(mistaken)
    return profile, mistaken
