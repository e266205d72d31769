"""A prescreen taken back: its report and observations are entered in error, here and in the EHR.

Nothing is removed: each resource gets a next version, a Provenance says why, and a Task asks a radiologist to look
at the patient's imaging again. In the PACS a note rejects what was stored there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cds.audit.balp import Event
from cds.audit.trail import Trail
from cds.findings import Prescreen
from cds.reporting import codes, opinions, pacs
from cds.reporting.record import Record
from cds.reporting.resources import Resource, collection, device, located, relative, report_id
from cds.reporting.tasks import review_id, second_look
from cds.store import outbox, prescreens, resources, reviews, withdrawn_models
from cds.store.database import Connection

WITHDRAWN = "entered-in-error"


def withdraw(record: Record, tenant: str, prescreen_id: str, reason: str, trail: Trail) -> bool:
    """Take back the prescreen's report; false where there is none, or it was taken back before.

    ``reason`` is a sentence without patient data, which goes into the EHR's record with the Provenance. Committed
    with its audit and its delivery, or not at all.
    """
    prescreen = record.by_id(tenant, prescreen_id)
    if prescreen is None:
        return False
    withdrawing = _Withdrawing(prescreen, reason, trail)
    record.write(tenant, trail, withdrawing)
    return withdrawing.done


class _Withdrawing:
    """The write, which says afterwards whether there was anything to take back."""

    def __init__(self, prescreen: Prescreen, reason: str, trail: Trail) -> None:
        self._prescreen = prescreen
        self._reason = reason
        self._trail = trail
        self.done = False

    def __call__(self, connection: Connection) -> Iterable[Event]:
        prescreen, tenant = self._prescreen, self._prescreen.tenant
        prescreens.lock(connection, tenant, UUID(prescreen.id))
        id = report_id(prescreen)
        report = resources.get(connection, tenant, "DiagnosticReport", id) if id else None
        if report is None or id is None or report["status"] == WITHDRAWN:
            return []
        observations = _observations(connection, tenant, report)
        taken_back = [_in_error(resource) for resource in (*observations, report)]
        said = _provenance(prescreen, taken_back, self._reason)
        for resource in (*taken_back, said, *self._queue(connection, report)):
            resources.put(
                connection, tenant, resource, patient=prescreen.patient, fhir_server=prescreen.fhir_server
            )
        _tell_the_ehr(connection, prescreen, [*taken_back, said])
        _tell_of_models(connection, prescreen)
        pacs.take_back(connection, prescreen, self._reason)
        opinions.end(connection, prescreen, _clinicians(connection, prescreen), by="withdrawal")
        self.done = True
        return [self._trail.report_updated(prescreen.patient, id)]

    def _queue(self, connection: Connection, report: Resource) -> list[Resource]:
        """What was asked before, in error, and what is asked now; the EHR was never told of either."""
        prescreen = self._prescreen
        asked = resources.get(connection, prescreen.tenant, "Task", review_id(prescreen))
        own = [report, *(device(model) for model in prescreen.models)]
        again = located(second_look(prescreen, self._reason), own, prescreen.fhir_server)
        return [*([_in_error(asked)] if asked else []), again]


def _observations(connection: Connection, tenant: str, report: Resource) -> list[Resource]:
    ids = [result["reference"].partition("/")[2] for result in report.get("result", ())]
    found = (resources.get(connection, tenant, "Observation", id) for id in ids)
    return [observation for observation in found if observation is not None]


def _clinicians(connection: Connection, prescreen: Prescreen) -> set[str]:
    """Whoever said what they think of it."""
    acts = reviews.of_prescreen(connection, prescreen.tenant, UUID(prescreen.id))
    return {act.body["clinician"] for act in acts}


def _in_error(resource: Resource) -> Resource:
    """The next version: what it said stays readable, its status says that it does not hold."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name in ("security", "profile")}
    return {**resource, "meta": meta, "status": WITHDRAWN}


def _provenance(prescreen: Prescreen, targets: list[Resource], reason: str) -> Resource:
    return {
        "resourceType": "Provenance",
        "id": str(uuid.uuid5(UUID(prescreen.id), "Provenance/withdrawal")),
        "target": [{"reference": f"{r['resourceType']}/{r['id']}"} for r in targets],
        "recorded": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "reason": [{"text": reason}],
        "activity": codes.concept("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "NULLIFY", "nullify"),
        "agent": [
            {
                "type": codes.concept(
                    "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian", "Custodian"
                ),
                "who": {"display": "Sightline"},
            }
        ],
    }


def _tell_the_ehr(connection: Connection, prescreen: Prescreen, taken_back: list[Resource]) -> None:
    """Results that have not arrived yet arrive as taken back; those that have are amended."""
    payload: dict[str, Any] = collection([relative(one, prescreen.fhir_server) for one in taken_back])
    outbox.amend(
        connection,
        prescreen.tenant,
        amended=prescreen.id,
        by="withdrawal",
        destination=prescreen.fhir_server,
        payload=payload,
    )


def _tell_of_models(connection: Connection, prescreen: Prescreen) -> None:
    """The EHR's Devices of what is withdrawn are inactive: each told to each EHR once, not with every report."""
    withdrawn = withdrawn_models.digests_of(connection, prescreen.tenant)
    for model in (one for one in prescreen.models if one.digest in withdrawn):
        out_of_use = device(model) | {"status": "inactive"}
        outbox.enqueue(
            connection,
            prescreen.tenant,
            kind=outbox.FHIR_AMENDMENT,
            destination=prescreen.fhir_server,
            payload=collection([out_of_use]),
            idempotency_key=f"{out_of_use['id']}/withdrawal/{prescreen.fhir_server}",
        )
