"""search (FHIR R4, "Search"): parameter types, prefixes, paging, sorting, including."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from flask.testing import FlaskClient

from cds.sandbox.parts import Sandbox
from tests.sandbox.conftest import BASE, Bearer

LOINC = "http://loinc.org"
TYPE = {"coding": [{"system": LOINC, "code": "34109-9"}]}


def document(id: str, patient: str, written: str, **more: Any) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient}"}
    return {
        "resourceType": "DocumentReference",
        "id": id,
        "subject": subject,
        "date": written,
        "type": TYPE,
    } | more


@pytest.fixture(autouse=True)
def documents(sandbox: Sandbox) -> None:
    context = {
        "encounter": [{"reference": "Encounter/e1"}],
        "period": {"start": "2024-01-10", "end": "2024-01-20"},
    }
    for resource in (
        document("a", "p1", "2024-01-01", status="current", context=context),
        document("b", "p1", "2024-02-10T10:30:00Z", status="superseded"),
        document("c", "p1", "2024-02-10T23:30:00-05:00", identifier=[{"system": "urn:x", "value": "7"}]),
        document("d", "p2", "2023", identifier=[{"value": "7"}]),
    ):
        sandbox.records.update(resource)


class Search:
    """Search as a test would: parameters in, ids out."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    def bundle(self, of_type: str = "DocumentReference", **parameters: str) -> dict[str, Any]:
        return self.url(f"/fhir/{of_type}?{urlencode(parameters)}")

    def url(self, url: str) -> dict[str, Any]:
        answer = self._client.get(url, headers=self._headers)
        assert answer.status_code == 200, answer.data
        bundle: dict[str, Any] = orjson.loads(answer.data)
        return bundle

    def __call__(self, **parameters: str) -> str:
        bundle = self.bundle(**parameters)
        return "".join(entry["resource"]["id"] for entry in bundle["entry"])


@pytest.fixture
def search(client: FlaskClient, bearer: Bearer) -> Search:
    return Search(client, bearer())


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({}, "abcd"),
        ({"_id": "b"}, "b"),
        ({"_id": "a,d,none"}, "ad"),
        ({"patient": "p1"}, "abc"),
        ({"patient": "Patient/p2"}, "d"),
        ({"patient": f"{BASE}/fhir/Patient/p2"}, "d"),
        ({"subject": "Patient/p2"}, "d"),
        ({"subject": "p2"}, "d"),
        ({"subject:Patient": "p2"}, "d"),
        ({"encounter": "e1"}, "a"),
        ({"encounter": "Encounter/e1"}, "a"),
        ({"status": "current"}, "a"),
        ({"status": "current,superseded"}, "ab"),
        ({"type": "34109-9"}, "abcd"),
        ({"type": f"{LOINC}|34109-9"}, "abcd"),
        ({"type": "urn:other|34109-9"}, ""),
        ({"type": f"{LOINC}|"}, "abcd"),
        ({"identifier": "urn:x|7"}, "c"),
        ({"identifier": "7"}, "cd"),
        ({"identifier": "|7"}, "d"),
        ({"patient": "p1", "status": "superseded"}, "b"),
    ],
)
def test_tokens_and_references(search: Search, parameters: dict[str, str], ids: str) -> None:
    assert search(**parameters) == ids


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("date", "2024", "abc"),
        ("date", "2024-02-10", "b"),
        ("date", "2024-02-11", "c"),
        ("date", "2024-02-10T10:30:00Z", "b"),
        ("date", "2024-02-10T05:30:00-05:00", "b"),
        ("date", "ge2024-02", "bc"),
        ("date", "gt2024-02-10", "c"),
        ("date", "lt2024", "d"),
        ("date", "le2024-01-01", "ad"),
        ("date", "ne2024-01-01", "bcd"),
        ("date", "sa2023", "abc"),
        ("date", "eb2024-02-10", "ad"),
        ("date", "2023,2024-01", "ad"),
        ("period", "2024-01", "a"),
        ("period", "ge2024-01-15", "a"),
        ("period", "sa2024-01-15", ""),
        ("_lastUpdated", "gt2020", "abcd"),
        ("_lastUpdated", "lt2020", ""),
    ],
)
def test_dates(search: Search, name: str, value: str, ids: str) -> None:
    assert search(**{name: value}) == ids


def test_a_range_is_two_parameters(search: Search) -> None:
    bundle = search.url("/fhir/DocumentReference?date=ge2024-01-01&date=lt2024-02-01")
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == ["a"]


def test_sorting(search: Search) -> None:
    assert search(_sort="date") == "dabc"
    assert search(_sort="-date") == "cbad"
    assert search(_sort="status,-date") == "abcd"


def test_paging_meets_each_once(search: Search) -> None:
    bundle = search.bundle(_sort="-date", _count="3", patient="p1,p2")
    seen = [entry["resource"]["id"] for entry in bundle["entry"]]
    links = {link["relation"]: link["url"] for link in bundle["link"]}
    assert bundle["total"] == 4
    assert links["next"].startswith(f"{BASE}/fhir/DocumentReference?")
    last = search.url(links["next"])
    seen += [entry["resource"]["id"] for entry in last["entry"]]
    assert "".join(seen) == "cbad"
    assert "next" not in {link["relation"] for link in last["link"]}


def test_count_of_nothing_gives_the_total(search: Search) -> None:
    bundle = search.bundle(_count="0")
    assert (bundle["total"], bundle["entry"]) == (4, [])


def test_by_post(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post("/fhir/DocumentReference/_search", data={"patient": "p2"}, headers=bearer())
    assert answer.json is not None
    assert answer.json["total"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "date=yesterday",
        "date=2024-13-40",
        "date=",
        "patient=",
        "_count=-1",
        "_count=99999999999",
        "_sort=nothing",
        "_sort=date'--",
        "_include=Patient:link",
        "status:not=current",
        "status=" + "a," * 300 + "a",
    ],
)
def test_a_value_that_cannot_be_read(client: FlaskClient, bearer: Bearer, query: str) -> None:
    answer = client.get(f"/fhir/DocumentReference?{query}", headers=bearer())
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["resourceType"] == "OperationOutcome"


def test_an_unknown_parameter_is_passed_over_and_not_in_the_self_link(search: Search) -> None:
    bundle = search.bundle(shoe="42", status="current")
    assert bundle["total"] == 1
    assert "shoe" not in bundle["link"][0]["url"]


def test_an_unknown_parameter_is_refused_where_the_client_is_strict(client: FlaskClient, bearer: Bearer) -> None:
    headers = bearer() | {"Prefer": "handling=strict"}
    assert client.get("/fhir/DocumentReference?shoe=42", headers=headers).status_code == 400


def test_include_the_endpoints_of_studies(client: FlaskClient, bearer: Bearer, sandbox: Sandbox) -> None:
    sandbox.records.update({"resourceType": "Endpoint", "id": "pacs", "status": "active"})
    for id, started in (("s1", "2024-05-01T10:00:00Z"), ("s2", "2024-06-01T10:00:00Z")):
        sandbox.records.update(
            {
                "resourceType": "ImagingStudy",
                "id": id,
                "subject": {"reference": "Patient/p1"},
                "started": started,
                "endpoint": [{"reference": "Endpoint/pacs"}],
            }
        )
    url = "/fhir/ImagingStudy?patient=p1&_include=ImagingStudy:endpoint&_sort=-started&started=ge2024"
    bundle = client.get(url, headers=bearer("patient/*.rs", patient="p1")).json
    assert bundle is not None
    modes = [(entry["resource"]["id"], entry["search"]["mode"]) for entry in bundle["entry"]]
    assert modes == [("s2", "match"), ("s1", "match"), ("pacs", "include")]
    assert bundle["total"] == 2
    without = client.get(url, headers=bearer("user/ImagingStudy.rs")).json
    assert without is not None
    assert len(without["entry"]) == 2


def test_three_patients_of_synthea_are_searched_quickly(sandbox: Sandbox, search: Search, data: Path) -> None:
    for path in sorted((data / "synthea").glob("*.json")):
        sandbox.records.transaction(orjson.loads(path.read_bytes()))
    patients = [entry["resource"]["id"] for entry in search.bundle("Patient")["entry"]]
    assert len(patients) == 3
    assert [search.bundle("ImagingStudy", patient=patient)["total"] for patient in patients] == [1, 1, 1]
    taken = []
    for _ in range(20):
        started = time.perf_counter()
        search.bundle("Observation", patient=patients[0], date="ge2000", _sort="-date", _count="20")
        taken.append(time.perf_counter() - started)
    assert min(taken) < 0.02
