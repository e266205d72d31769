"""What is put comes back as it was; what must not change does not."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from cds.errors import PreconditionFailed, RequestError
from cds.store import cards, prescreens, resources, scores
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres

REPORT = {"resourceType": "DiagnosticReport", "id": "r-1", "status": "preliminary", "meta": {"profile": ["p"]}}


def test_the_first_score_of_a_key_stays(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", {"p": 0.1})
        scores.put(connection, tenant, "key", "image", {"p": 0.2})
        scores.put(connection, tenant, "key", "note", {"p": 0.3})
        assert scores.get(connection, tenant, "key", "image") == {"p": 0.1}
        assert scores.get(connection, tenant, "key", "note") == {"p": 0.3}
        assert scores.get(connection, tenant, "another", "note") is None


def test_a_key_is_the_inputs_and_nobody_without_the_secret_can_try_them_out() -> None:
    key = scores.key_of(b"s" * 32, "https://ehr.example/fhir", [{"text": "Cough"}])
    assert key == scores.key_of(b"s" * 32, "https://ehr.example/fhir", [{"text": "Cough"}])
    assert key != scores.key_of(b"s" * 32, "https://ehr.example/fhir", [{"text": "Fever"}])
    assert key != scores.key_of(b"t" * 32, "https://ehr.example/fhir", [{"text": "Cough"}])


def test_a_prescreen_is_kept_once_and_found_by_id_and_patient(database: Database, tenant: str) -> None:
    ours = {"patient": "Patient/1", "fhir_server": "https://ehr.example/fhir"}
    first, second = uuid4(), uuid4()
    with database.transaction(tenant) as connection:
        assert prescreens.put(connection, tenant, id=first, key="a", body={"n": 1}, **ours)()
        assert not prescreens.put(connection, tenant, id=uuid4(), key="a", body={"n": 9}, **ours)()
    with database.transaction(tenant) as connection:
        assert prescreens.put(connection, tenant, id=second, key="b", body={"n": 2}, **ours)
        assert prescreens.get(connection, tenant, first) == {"n": 1}
        of_patient = prescreens.of_patient(connection, tenant, ours["fhir_server"], "Patient/1")
        assert of_patient == [{"n": 2}, {"n": 1}]
        assert prescreens.of_patient(connection, tenant, "https://another.example", "Patient/1") == []


def test_every_version_of_a_resource_is_kept(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        first = resources.put(connection, tenant, REPORT, patient="Patient/1")
        second = resources.put(connection, tenant, REPORT | {"status": "final"}, patient="Patient/1")
    assert first["meta"]["versionId"] == "1"
    assert first["meta"]["profile"] == ["p"]
    assert first["meta"]["lastUpdated"].endswith("Z")
    with database.transaction(tenant) as connection:
        assert resources.get(connection, tenant, "DiagnosticReport", "r-1") == second
        assert resources.get_version(connection, tenant, "DiagnosticReport", "r-1", 1) == first
        assert resources.history(connection, tenant, "DiagnosticReport", "r-1") == [second, first]
        assert resources.get(connection, tenant, "DiagnosticReport", "r-2") is None


def test_many_written_at_once_are_as_those_written_one_by_one(database: Database, tenant: str) -> None:
    written = [REPORT | {"id": id, "identifier": [{"value": id}]} for id in ("a", "b")]
    whose = {"patient": "Patient/1", "fhir_server": "https://ehr"}
    rows = "SELECT id, patient, last_updated, date_low, issued, cardinality(terms) FROM search_row ORDER BY id"
    with database.transaction(tenant) as connection:
        resources.put_all_new(connection, tenant, written, **whose)
        resources.put(connection, tenant, REPORT | {"id": "c", "identifier": [{"value": "c"}]}, **whose)
        one, _, single = (resources.get(connection, tenant, "DiagnosticReport", id) for id in "abc")
        assert one is not None
        assert single is not None
        assert one["meta"] == single["meta"]
        assert resources.history(connection, tenant, "DiagnosticReport", "a") == [one]
        indexed = [row[1:] for row in connection.execute(rows).fetchall()]
        assert len(indexed) == 3
        assert len(set(indexed)) == 1
    with pytest.raises(psycopg.errors.UniqueViolation), database.transaction(tenant) as connection:
        resources.put_all_new(connection, tenant, written[:1], **whose)


def test_an_update_of_a_version_that_is_not_current_is_refused(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        resources.put(connection, tenant, REPORT)
        resources.put(connection, tenant, REPORT, if_match=1)
    with pytest.raises(PreconditionFailed), database.transaction(tenant) as connection:
        resources.put(connection, tenant, REPORT, if_match=1)
    with database.transaction(tenant) as connection:
        assert len(resources.history(connection, tenant, "DiagnosticReport", "r-1")) == 2


def test_a_version_once_written_cannot_change(database: Database, tenant: str, postgres: EmbeddedPostgres) -> None:
    with database.transaction(tenant) as connection:
        resources.put(connection, tenant, REPORT)
    for url in (postgres.app_url, postgres.admin_url):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE resource_version SET body = '{}'")


def test_feedback_told_twice_is_kept_once(database: Database, tenant: str) -> None:
    card, at = uuid4(), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with database.transaction(tenant) as connection:
        cards.put(connection, tenant, uuid=card, service="s", topic="finding", body={"summary": "x"})
        told = {"card": card, "outcome": "accepted", "outcome_timestamp": at}
        assert cards.feedback(connection, tenant, **told, body={"n": 1})
        assert not cards.feedback(connection, tenant, **told, body={"n": 2})
        assert cards.feedback_of(connection, tenant, card) == [{"n": 1}]
        assert cards.get(connection, tenant, card) == {"summary": "x", "topic": "finding"}


def test_what_a_clinician_wrote_is_kept_sealed(database: Database, tenant: str) -> None:
    """CDS Hooks 2.0, "Feedback": a ``userComment`` may name the patient."""
    card, told = uuid4(), {"overrideReason": {"userComment": "Known to Mrs Wrenfield since May."}}
    with database.transaction(tenant) as connection:
        cards.put(connection, tenant, uuid=card, service="s", topic="finding", body={})
        now = datetime.now(UTC)
        cards.feedback(connection, tenant, card=card, outcome="overridden", outcome_timestamp=now, body=told)
        assert cards.feedback_of(connection, tenant, card) == [told]
        row = connection.execute("SELECT body FROM feedback WHERE card = %s", (card,)).fetchone()
    assert b"Wrenfield" not in bytes(row[0] if row else b"Wrenfield")


def test_a_card_was_given_by_the_service_that_gave_it(database: Database, tenant: str) -> None:
    card = uuid4()
    with database.transaction(tenant) as connection:
        cards.put(connection, tenant, uuid=card, service="s", topic="finding", body={})
        assert cards.was_given(connection, tenant, "s", card)
        assert not cards.was_given(connection, tenant, "another service", card)
        assert not cards.was_given(connection, tenant, "s", uuid4())


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_postgresql_cannot_hold_is_the_callers_mistake(database: Database, tenant: str, text: str) -> None:
    with pytest.raises(RequestError), database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", {"text": text})


def test_a_backslash_before_u0000_is_no_nul(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        scores.put(connection, tenant, "key", "image", {"text": "a\\u0000"})
        assert scores.get(connection, tenant, "key", "image") == {"text": "a\\u0000"}
