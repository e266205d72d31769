"""One delivery: done once, written down as it went, and never to another tenant's EHR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cds.ehr.write_back import Delivered
from cds.store import outbox
from cds.store.database import Connection, Database
from cds.store.outbox import Delivery
from cds.worker.delivery import Deliverer
from tests.outbox import enqueued
from tests.worker.conftest import BASE, TENANT, Ehr


def row(database: Database, id_: int) -> dict[str, Any]:
    columns = "attempts, delivered_at, next_attempt_at, last_error"
    with database.transaction(TENANT) as connection:
        found = connection.execute(f"SELECT {columns} FROM outbox WHERE id = %s", (id_,)).fetchone()
    assert found is not None
    return dict(zip(columns.split(", "), found, strict=True))


def make_due(database: Database, id_: int) -> None:
    with database.transaction(TENANT) as connection:
        connection.execute("UPDATE outbox SET next_attempt_at = now() WHERE id = %s", (id_,))


def test_a_delivery_is_made_and_marked(
    deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    id_ = enqueue()
    deliverer.deliver(TENANT, id_)
    assert [report["resourceType"] for report in ehr.reports] == ["DiagnosticReport"]
    after = row(database, id_)
    assert after["delivered_at"] is not None
    assert (after["attempts"], after["next_attempt_at"], after["last_error"]) == (1, None, None)


def test_a_second_job_for_it_does_nothing(deliverer: Deliverer, ehr: Ehr, enqueue: Callable[..., int]) -> None:
    id_ = enqueue()
    deliverer.deliver(TENANT, id_)
    deliverer.deliver(TENANT, id_)
    deliverer.deliver(TENANT, 999_999)
    assert ehr.posts == 1


def test_a_delivery_that_was_made_but_not_marked_is_not_made_twice(
    deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    def dies(connection: Connection, tenant: str, delivery: Delivery, delivered: Delivered) -> None:
        raise RuntimeError("killed")

    id_ = enqueue()
    with pytest.raises(RuntimeError):
        replace(deliverer, on_delivered=dies).deliver(TENANT, id_)
    assert row(database, id_)["delivered_at"] is None
    make_due(database, id_)  # its lease runs out
    deliverer.deliver(TENANT, id_)
    assert len(ehr.reports) == 1
    assert row(database, id_)["delivered_at"] is not None


def test_what_is_recorded_of_a_delivery_is_committed_with_it(
    deliverer: Deliverer, database: Database, enqueue: Callable[..., int]
) -> None:
    told = []

    def record(connection: Connection, tenant: str, delivery: Delivery, delivered: Delivered) -> None:
        marked = connection.execute("SELECT delivered_at IS NOT NULL FROM outbox WHERE id = %s", (delivery.id,))
        told.append((marked.fetchone(), tenant, delivered.of_type("DiagnosticReport")))

    replace(deliverer, on_delivered=record).deliver(TENANT, enqueue())
    assert told == [((True,), TENANT, ("DiagnosticReport/er1",))]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), "BadAnswer: searching DiagnosticReport was answered 503"),
        (httpx.Response(403), "Refused: searching DiagnosticReport was answered 403"),
        (httpx.Response(200, content=b"<html>"), "BadAnswer: the body is not JSON"),
        (httpx.ConnectError("at 10.0.0.1"), "Unreachable: the connection failed (ConnectError)"),
    ],
)
def test_a_failure_is_tried_again_later(
    *, deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int], answer: Any, error: str
) -> None:
    ehr.answer = answer
    id_ = enqueue()
    deliverer.deliver(TENANT, id_)
    after = row(database, id_)
    assert after["last_error"] == error
    assert after["next_attempt_at"] is not None
    assert after["delivered_at"] is None
    ehr.answer = None
    make_due(database, id_)
    deliverer.deliver(TENANT, id_)
    assert row(database, id_)["delivered_at"] is not None


def test_what_fails_too_often_becomes_a_dead_letter_that_can_be_taken_up(
    deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    ehr.answer = httpx.Response(422)
    id_ = enqueue()
    for _ in range(outbox.MAX_ATTEMPTS):
        make_due(database, id_)
        deliverer.deliver(TENANT, id_)
    with database.transaction(TENANT) as connection:
        (letter,) = [letter for letter in outbox.dead(connection, TENANT) if letter.id == id_]
        assert letter.attempts == outbox.MAX_ATTEMPTS
        assert outbox.retry(connection, TENANT, id_)
    ehr.answer = None
    deliverer.deliver(TENANT, id_)
    assert row(database, id_)["delivered_at"] is not None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"destination": "https://other.example/fhir"}, "NotAllowed: the FHIR server is registered for no EHR of"),
        ({"kind": "pigeon"}, "BadAnswer: there is no way to deliver this kind"),
        ({"payload": {"entry": [{"resource": {}}]}}, "ValueError: it cannot be delivered as it is"),
    ],
)
def test_what_cannot_be_delivered_says_so_and_is_sent_nowhere(
    *, deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int], wrong: Any, error: str
) -> None:
    id_ = enqueue(**wrong)
    deliverer.deliver(TENANT, id_)
    assert row(database, id_)["last_error"].startswith(error)
    assert ehr.posts == 0


def test_a_worker_that_is_told_to_stop_begins_no_further_call(
    deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    id_ = enqueue()
    deliverer.deliver(TENANT, id_, given_up=lambda: True)
    assert row(database, id_)["last_error"] == "Unreachable: there was no time left to ask"
    assert ehr.posts == 0


def test_the_same_server_of_another_tenant_is_not_ours(
    deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    with database.transaction("another") as connection:
        id_ = enqueued(
            connection,
            "another",
            kind="fhir-results",
            destination=BASE,
            payload={"entry": []},
            idempotency_key="theirs",
        )
    deliverer.deliver(TENANT, id_)
    deliverer.deliver("another", id_)
    with database.transaction("another") as connection:
        (error,) = connection.execute("SELECT last_error FROM outbox WHERE id = %s", (id_,)).fetchone() or ("",)
    assert error.startswith("NotAllowed")
    assert ehr.posts == 0


def test_what_failed_together_does_not_come_back_together(
    deliverer: Deliverer, database: Database, ehr: Ehr, enqueue: Callable[..., int]
) -> None:
    ehr.answer = httpx.Response(503)
    pauses = []
    for name in "abcdefgh":
        id_ = enqueue(name=name)
        deliverer.deliver(TENANT, id_)
        pauses.append((row(database, id_)["next_attempt_at"] - datetime.now(UTC)).total_seconds())
    longest = outbox.FIRST_PAUSE.total_seconds()
    assert all(0.5 * longest - 1 < pause <= longest for pause in pauses)
    assert len({round(pause, 2) for pause in pauses}) > 1
