"""What a clinician thinks of a report and has not signed: an Observation of theirs, here and in the EHR.

It is about the report and changes neither it nor what the models observed. Each clinician has one of each report;
what they say again is its next version, and it is over when they sign, or when the report is taken back.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from cds.findings import SNOMED_CT, Finding, Judgement, Opinion, Prescreen
from cds.reporting import codes, words
from cds.reporting.resources import Resource, collection, located, relative, report_id
from cds.reporting.signed import clinician, content, interpreted
from cds.store import outbox, resources
from cds.store.database import Connection

STANDS = "preliminary"
OVER = "cancelled"
"""Never completed: what was signed stands in its place, or nothing does."""


def opinion_id(prescreen: Prescreen, who: str) -> str:
    """The id of the Observation that :func:`observation` makes of what ``Practitioner/{id}`` says."""
    return str(uuid.uuid5(uuid.UUID(prescreen.id), f"opinion/{who}"))


def observation(prescreen: Prescreen, said: Opinion) -> Resource:
    """The comment as its value, each judged finding a component; not labelled AIAST, for a person says it."""
    id, report = opinion_id(prescreen, said.clinician), report_id(prescreen)
    at = said.said.isoformat(timespec="milliseconds")
    judged = [(f, judgement) for f in prescreen.findings if (judgement := said.of(f.key))]
    made: Resource = {
        "resourceType": "Observation",
        "id": id,
        "meta": {"profile": [codes.PROFILES + "clinician-opinion"]},
        "identifier": [{"system": codes.PRESCREEN_IDENTIFIER, "value": f"{prescreen.id}/opinion/{id}"}],
        "status": STANDS,
        "category": [codes.IMAGING],
        "code": codes.concept(codes.LOINC, "48767-8", "Annotation comment [Interpretation] Narrative"),
        "subject": {"reference": prescreen.patient},
        # By its identifier too: the EHR has an id of its own for it.
        "focus": [
            {
                "reference": f"DiagnosticReport/{report}",
                "type": "DiagnosticReport",
                "identifier": {"system": codes.PRESCREEN_IDENTIFIER, "value": prescreen.id},
            }
        ],
        "effectiveDateTime": at,
        "issued": at,
        "performer": [clinician(prescreen, said)],
    }
    made |= {"valueString": said.comment} if said.comment else {}
    made |= {"component": [_component(*one) for one in judged]} if judged else {}
    return located(made, [{"resourceType": "DiagnosticReport", "id": report}], prescreen.fhir_server)


def keep(connection: Connection, prescreen: Prescreen, said: Opinion) -> None:
    """Write the clinician's opinion, the next version if there is one, and tell the EHR."""
    _say(connection, prescreen, observation(prescreen, said), said.id)


def end(connection: Connection, prescreen: Prescreen, clinicians: Iterable[str], *, by: str) -> None:
    """What these clinicians said is over by the act ``by``."""
    for who in clinicians:
        held = resources.get(connection, prescreen.tenant, "Observation", opinion_id(prescreen, who))
        if held and held["status"] == STANDS:
            _say(connection, prescreen, {**content(held), "status": OVER}, by)


def _say(connection: Connection, prescreen: Prescreen, opinion: Resource, act: str) -> None:
    server = prescreen.fhir_server
    resources.put(connection, prescreen.tenant, opinion, patient=prescreen.patient, fhir_server=server)
    outbox.enqueue(
        connection,
        prescreen.tenant,
        kind=outbox.FHIR_OPINION,
        destination=server,
        payload=collection([relative(opinion, server)]),
        idempotency_key=f"{prescreen.id}/{opinion['id']}/{act}",
    )


def _component(finding: Finding, judgement: Judgement) -> Resource:
    return {
        "code": codes.concept(SNOMED_CT, finding.type.snomed, finding.type.display),
        "valueString": words.judged(judgement),
        "interpretation": [interpreted(finding, judgement)],
    }
