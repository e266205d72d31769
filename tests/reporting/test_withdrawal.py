"""What is taken back is entered in error, once, here and on its way to the EHR."""

from __future__ import annotations

from typing import Any

from cds.audit import chain
from cds.audit.trail import Trail
from cds.audit.verify import verify
from cds.findings import Prescreen
from cds.reporting.record import Record
from cds.reporting.resources import report_id
from cds.reporting.withdrawal import withdraw
from cds.store import outbox, resources
from cds.store.database import Connection, Database
from tests.opened import events
from tests.prescreens import prescreen

REASON = "Model version 1.2.0 was recalled."


def report_of(connection: Connection, made: Prescreen) -> dict[str, Any]:
    found = resources.get(connection, made.tenant, "DiagnosticReport", report_id(made) or "")
    assert found is not None
    return found


def payloads(connection: Connection, tenant: str) -> list[outbox.Delivery]:
    claimed = (outbox.claim(connection, tenant, id) for id in outbox.due(connection, tenant))
    return [delivery for delivery in claimed if delivery]


def statuses(delivery: outbox.Delivery) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for entry in delivery.payload["entry"]:
        found.setdefault(entry["resource"]["resourceType"], set()).add(entry["resource"].get("status"))
    return found


def test_report_and_observations_are_entered_in_error_and_stay_readable(
    database: Database, made: Prescreen, trail: Trail
) -> None:
    assert withdraw(Record(database), made.tenant, made.id, REASON, trail)
    with database.transaction(made.tenant) as connection:
        report = report_of(connection, made)
        first = resources.get_version(connection, made.tenant, "DiagnosticReport", report["id"], 1)
        assert first is not None
        assert (first["status"], report["status"]) == ("preliminary", "entered-in-error")
        assert report["meta"]["versionId"] == "2"
        assert report["meta"]["security"] == first["meta"]["security"]
        for result in report["result"]:
            observation = resources.get(
                connection, made.tenant, "Observation", result["reference"].partition("/")[2]
            )
            assert observation is not None
            assert observation["status"] == "entered-in-error"
        assert verify(connection, made.tenant).intact
        subtypes = [event["subtype"][0]["code"] for event in events(connection, made.tenant)]
    assert subtypes[-1] == "update"


def test_it_happens_once(database: Database, made: Prescreen, trail: Trail) -> None:
    assert withdraw(Record(database), made.tenant, made.id, REASON, trail)
    with database.transaction(made.tenant) as connection:
        before = chain.length(connection, made.tenant)
    assert not withdraw(Record(database), made.tenant, made.id, REASON, trail)
    with database.transaction(made.tenant) as connection:
        assert chain.length(connection, made.tenant) == before
        assert report_of(connection, made)["meta"]["versionId"] == "2"


def test_what_is_not_there_is_not_taken_back(database: Database, tenant: str, trail: Trail) -> None:
    assert not withdraw(Record(database), tenant, prescreen().id, REASON, trail)


def test_results_still_on_their_way_arrive_as_taken_back(
    database: Database, made: Prescreen, trail: Trail
) -> None:
    withdraw(Record(database), made.tenant, made.id, REASON, trail)
    with database.transaction(made.tenant) as connection:
        results, amendment, _ = payloads(connection, made.tenant)
    assert (results.kind, amendment.kind) == (outbox.FHIR_RESULTS, outbox.FHIR_AMENDMENT)
    for delivery in (results, amendment):
        assert statuses(delivery)["DiagnosticReport"] == {"entered-in-error"}
        assert statuses(delivery)["Observation"] == {"entered-in-error"}
        (said,) = [
            e["resource"] for e in delivery.payload["entry"] if e["resource"]["resourceType"] == "Provenance"
        ]
        assert said["reason"] == [{"text": REASON}]


def test_delivered_results_are_not_touched_by_it(database: Database, made: Prescreen, trail: Trail) -> None:
    with database.transaction(made.tenant) as connection:
        (results,) = payloads(connection, made.tenant)
        outbox.delivered(connection, made.tenant, results.id)
    withdraw(Record(database), made.tenant, made.id, REASON, trail)
    with database.transaction(made.tenant) as connection:
        amendment, _ = payloads(connection, made.tenant)
        assert amendment.idempotency_key == f"{made.id}/withdrawal"
        assert not outbox.must_wait(connection, made.tenant, amendment)


def test_what_the_pacs_may_hold_is_rejected_after_it_is_there(
    database: Database, made: Prescreen, trail: Trail
) -> None:
    with database.transaction(made.tenant) as connection:
        given = {"kind": outbox.DICOM_RESULTS, "destination": "https://pacs.example", "payload": {}}
        outbox.enqueue(connection, made.tenant, idempotency_key=f"{made.id}/pacs", **given)
    withdraw(Record(database), made.tenant, made.id, REASON, trail)
    with database.transaction(made.tenant) as connection:
        by_kind = {delivery.kind: delivery for delivery in payloads(connection, made.tenant)}
        rejection = by_kind[outbox.DICOM_REJECTION]
        assert (rejection.payload["prescreen"], rejection.payload["reason"]) == (made.id, REASON)
        assert outbox.must_wait(connection, made.tenant, rejection)
        outbox.delivered(connection, made.tenant, by_kind[outbox.DICOM_RESULTS].id)
        assert not outbox.must_wait(connection, made.tenant, rejection)
        # A PACS that is away keeps nobody from telling the EHR.
        outbox.delivered(connection, made.tenant, by_kind[outbox.FHIR_RESULTS].id)
        assert not outbox.must_wait(connection, made.tenant, by_kind[outbox.FHIR_AMENDMENT])
