"""Bulk export (FHIR Bulk Data Access 2.0): kick-off, status, manifest, files, delete."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from cds.keys import Keys
from cds.registration import Registrations
from cds.reporting.record import Record
from cds.store import exports, resources
from cds.store.database import Database
from cds.store.valkey import Valkey
from cds.worker.export import Exporter
from tests.fhir.conftest import BASE, Client, Hospital, endpoint_of, registration, results

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def two(hospital: Hospital) -> Hospital:
    hospital.write(results(hospital.ehr, "ada"), results(hospital.ehr, "bob"))
    return hospital


def work(hospital: Hospital, *ehrs: Any) -> None:
    """What the worker does with the jobs that wait."""
    exporter = Exporter(hospital.database, Registrations([hospital.ehr, *ehrs]))
    with hospital.database.transaction(hospital.tenant) as connection:
        waiting = exports.waiting(connection, hospital.tenant)
    for id in waiting:
        exporter.export(hospital.tenant, str(id))


def started(client: Client, url: str = "$export") -> str:
    answer = client.get(url, **ASYNC)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return answer.headers["Content-Location"].removeprefix(f"{BASE}/")


def lines(client: Client, status: str) -> dict[str, list[dict[str, Any]]]:
    """The resources of a finished export by type, counted against its manifest."""
    found: dict[str, list[dict[str, Any]]] = {}
    for output in client.get(status).get_json()["output"]:
        answer = client.get(output["url"].removeprefix(f"{BASE}/"))
        assert answer.content_type == "application/fhir+ndjson"
        read = [json.loads(line) for line in answer.get_data().splitlines()]
        assert (len(read), {r["resourceType"] for r in read}) == (output["count"], {output["type"]})
        found.setdefault(output["type"], []).extend(read)
    return found


def test_from_the_request_to_the_files(two: Hospital) -> None:
    client = two.client()
    before = {event["id"] for event in two.events()}
    status = started(client)
    assert client.get(status).status_code == 202
    assert client.get(status).headers["X-Progress"]
    work(two)
    manifest = client.get(status)
    assert manifest.content_type == "application/json"
    assert "Expires" in manifest.headers
    assert manifest.get_json()["requiresAccessToken"] is True
    found = lines(client, status)
    assert len(found["DiagnosticReport"]) == 2
    assert before <= {event["id"] for event in found["AuditEvent"]}


def test_a_job_is_queued_in_the_same_transaction(two: Hospital) -> None:
    id = started(two.client()).rpartition("/")[2]
    with two.database.transaction(two.tenant) as connection:
        row = connection.execute(
            "SELECT task_name FROM procrastinate_jobs WHERE args ->> 'id' = %s", (id,)
        ).fetchone()
    assert row == ("export",)


def test_many_files(two: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "FILE_RESOURCES", 3)
    client = two.client()
    ids = set(client.found("AuditEvent?_count=200"))
    status = started(client, "$export?_type=AuditEvent")
    work(two)
    found = [event["id"] for event in lines(client, status)["AuditEvent"]]
    assert len(found) == len(set(found))
    assert ids <= set(found)
    assert len(client.get(status).get_json()["output"]) > 1


def test_the_version_is_that_of_the_moment(two: Hospital) -> None:
    client = two.client()
    status = started(client, "$export?_type=DiagnosticReport")
    work(two)
    report = lines(client, status)["DiagnosticReport"][0]
    with two.database.transaction(two.tenant) as connection:
        body = {name: value for name, value in report.items() if name != "meta"} | {"status": "final"}
        resources.put(connection, two.tenant, body, patient="Patient/ada", fhir_server=two.ehr.fhir_servers[0])
    assert {r["status"] for r in lines(client, status)["DiagnosticReport"]} == {"preliminary"}


def test_since(two: Hospital) -> None:
    client = two.client()
    status = started(client, "$export?_type=DiagnosticReport&_since=2999-01-01T00:00:00Z")
    work(two)
    assert client.get(status).get_json()["output"] == []


class TestGroups:
    def test_the_patients_of_one_ehr(self, database: Database, valkey: Valkey, keys: Keys, tenant: str) -> None:
        ours, theirs = registration(tenant, "one"), registration(tenant, "two")
        app = endpoint_of(Registrations([ours, theirs]), database, valkey, keys)
        hospital = Hospital(app, tenant, ours, database, Record(database))
        hospital.write(results(ours, "ada"), results(theirs, "bob"))
        client = hospital.client()
        groups = client.get("Group").get_json(force=True)["entry"]
        assert len(groups) == 2
        (own,) = [g["resource"]["id"] for g in groups if ours.issuer in g["resource"]["name"]]
        assert client.get(f"Group/{own}").get_json(force=True)["resourceType"] == "Group"
        status = started(client, f"Group/{own}/$export?_type=DiagnosticReport")
        work(hospital, theirs)
        (report,) = lines(client, status)["DiagnosticReport"]
        assert report["subject"]["reference"].endswith("/Patient/ada")
        assert client.get(f"Group/{own}/$export?_type=AuditEvent", **ASYNC).status_code == 400

    def test_another_group_is_not_there(self, two: Hospital) -> None:
        assert two.client().get("Group/none/$export", **ASYNC).status_code == 404
        assert two.client("user/*.rs").get("Group").status_code == 403


class TestRefusals:
    @pytest.mark.parametrize(
        ("url", "headers", "status"),
        [
            ("$export", {}, 400),
            ("$export?_type=Patient", ASYNC, 400),
            ("$export?_since=yesterday", ASYNC, 400),
            ("$export?_outputFormat=text/csv", ASYNC, 400),
            ("$export?_typeFilter=x", {"Prefer": "respond-async, handling=strict"}, 400),
            ("export/none", {}, 404),
            ("export/00000000-0000-4000-8000-000000000000", {}, 404),
        ],
    )
    def test_a_request_that_cannot_be_met(
        self, url: str, headers: dict[str, str], status: int, two: Hospital
    ) -> None:
        answer = two.client().get(url, **headers)
        assert answer.status_code == status
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"

    @pytest.mark.parametrize(
        "scope", ["system/Device.rs", "user/*.rs", "patient/*.rs", "system/AuditEvent.s", "system/AuditEvent.r"]
    )
    def test_a_scope_that_does_not_open_all(self, scope: str, two: Hospital) -> None:
        assert two.client(scope, patient="ada").get("$export", **ASYNC).status_code == 403

    def test_what_the_scope_opens_is_the_default(self, two: Hospital) -> None:
        client = two.client("system/DiagnosticReport.rs")
        status = started(client)
        work(two)
        assert set(lines(client, status)) == {"DiagnosticReport"}
        assert client.get("$export?_type=AuditEvent", **ASYNC).status_code == 403

    def test_another_clients_export_is_not_there(self, two: Hospital) -> None:
        status = started(two.client())
        work(two)
        other = two.client(sub="other", client_id="other")
        assert other.get(status).status_code == 404
        assert other.get(f"{status}/1").status_code == 404
        assert other.open("DELETE", status).status_code == 404
        assert two.client().get(status).status_code == 200

    def test_a_narrower_token_fetches_no_file_of_a_wider_one(self, two: Hospital) -> None:
        status = started(two.client(), "$export?_type=AuditEvent")
        work(two)
        assert two.client("system/DiagnosticReport.rs").get(f"{status}/1").status_code == 403

    def test_too_many_at_once(self, two: Hospital) -> None:
        for _ in range(5):
            started(two.client())
        assert two.client().get("$export", **ASYNC).status_code == 429


def test_deleted_and_expired_exports_are_gone(two: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    client = two.client()
    status = started(client)
    work(two)
    assert client.open("DELETE", status).status_code == 202
    assert client.get(status).status_code == 404
    monkeypatch.setattr(exports, "LIFETIME", timedelta(seconds=-1))
    expired = started(client)
    assert client.get(expired).status_code == 404
    Exporter(two.database, Registrations([two.ehr])).tend()
    with two.database.transaction(two.tenant) as connection:
        assert connection.execute("SELECT count(*) FROM bulk_export").fetchone() == (0,)


def test_an_export_that_kills_its_worker_is_given_up(two: Hospital) -> None:
    client = two.client()
    status = started(client)
    id = UUID(status.rpartition("/")[2])
    with two.database.transaction(two.tenant) as connection:
        for _ in range(exports.MAX_ATTEMPTS + 1):
            exports.tried(connection, two.tenant, id)
    answer = client.get(status)
    assert (answer.status_code, answer.get_json(force=True)["resourceType"]) == (500, "OperationOutcome")


def test_what_is_taken_away_is_in_the_trail(two: Hospital) -> None:
    client = two.client()
    status = started(client)
    work(two)
    client.get(f"{status}/1")
    jobs = [event["entity"][0]["what"]["identifier"]["value"] for event in two.events() if "$export" in str(event)]
    assert jobs == ["$export asked for", "$export fetched"]
