"""Search (FHIR R4, "Search"): what matches, in which order, page by page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds.audit import balp
from tests.fhir.conftest import BASE, Client, Hospital, results

ISSUED = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture
def two(hospital: Hospital) -> Hospital:
    """Two patients, one of whom has two reports."""
    hospital.write(
        results(hospital.ehr, "ada"),
        results(hospital.ehr, "bob", issued=ISSUED - timedelta(days=30)),
        results(hospital.ehr, "bob"),
    )
    return hospital


def subjects(client: Client, url: str) -> list[str]:
    entries = client.get(url).get_json(force=True).get("entry", [])
    return [
        entry["resource"]["subject"]["reference"].rpartition("/")[2]
        for entry in entries
        if entry["search"]["mode"] == "match"
    ]


def report(client: Client, patient: str) -> dict[str, Any]:
    entries = client.get(f"DiagnosticReport?patient={patient}").get_json(force=True)["entry"]
    return dict(entries[0]["resource"])


@pytest.mark.parametrize(
    ("asked", "matching"),
    [
        ("patient=ada", ["ada"]),
        ("patient=Patient/ada", ["ada"]),
        ("patient:Patient=ada", ["ada"]),
        ("subject=Patient/bob", ["bob", "bob"]),
        ("patient=ada,bob", ["bob", "bob", "ada"]),
        ("patient=ada&patient=bob", []),
        ("patient=nobody", []),
        ("status=preliminary", ["bob", "bob", "ada"]),
        ("status:not=preliminary", []),
        ("status=final", []),
        ("code=18748-4", ["bob", "bob", "ada"]),
        ("code=http://loinc.org|18748-4&patient=ada", ["ada"]),
        ("code=http://loinc.org|", ["bob", "bob", "ada"]),
        ("code=|18748-4", []),
        ("code=http://snomed.info/sct|18748-4", []),
        ("conclusion=36118008", ["bob", "bob", "ada"]),
        ("issued=2026-11-22", ["bob", "ada"]),
        ("issued=lt2026-11", ["bob"]),
        ("issued=ge2026-11-22T09:30:00Z", ["bob", "ada"]),
        ("issued=gt2026-11-22T09:30:00.000Z", []),
        ("date=2026-11-20", ["bob", "bob", "ada"]),
        ("date=2026-11-19,2026-11-20&patient=ada", ["ada"]),
        ("date=sa2026-11-20", []),
        ("date=eb2026-11-21&patient=ada", ["ada"]),
        ("_lastUpdated=gt2020", ["bob", "bob", "ada"]),
        ("_lastUpdated=lt2020", []),
    ],
)
def test_what_matches(asked: str, matching: list[str], two: Hospital) -> None:
    assert subjects(two.client(), f"DiagnosticReport?_sort=-_lastUpdated&{asked}") == matching


def test_by_the_url_of_the_patient(two: Hospital) -> None:
    url = f"{two.ehr.fhir_servers[0]}/Patient/ada"
    assert subjects(two.client(), f"DiagnosticReport?patient={url}") == ["ada"]
    assert subjects(two.client(), "DiagnosticReport?patient=https://another.example/fhir/Patient/ada") == []


def test_by_identifier_id_and_result(two: Hospital) -> None:
    client = two.client()
    ada = report(client, "ada")
    identifier = ada["identifier"][0]
    for asked in (
        f"identifier={identifier['value']}",
        f"identifier={identifier['system']}|{identifier['value']}",
        f"_id={ada['id']}",
        f"result={ada['result'][0]['reference']}",
        f"result={BASE}/{ada['result'][0]['reference']}",
        f"result:Observation={ada['result'][0]['reference'].partition('/')[2]}",
    ):
        assert client.found(f"DiagnosticReport?{asked}") == [ada["id"]], asked


def test_observations_of_one_finding(two: Hospital) -> None:
    assert len(two.client().found("Observation?code=36118008&patient=bob")) == 2


def test_everything_that_a_model_version_touched(two: Hospital) -> None:
    """AI Transparency on FHIR, use case 3."""
    client = two.client()
    (device, *_) = client.found("Device?device-name=chest")
    assert len(client.found(f"Provenance?agent=Device/{device}")) == 3
    assert client.found("Provenance?agent=Device/none") == []


@pytest.mark.parametrize(
    ("asked", "count"),
    [("model=CHEST", 1), ("model=radiograph", 0), ("model:exact=chest-radiograph", 1), ("model:exact=CHEST", 0)],
)
def test_a_string_is_found_by_its_beginning(asked: str, count: int, two: Hospital) -> None:
    assert len(two.client().found(f"Device?{asked}")) == count


class TestAuditEvents:
    """The parameters of ITI-81, "Retrieve ATNA Audit Event"."""

    @pytest.fixture
    def trail(self, hospital: Hospital) -> Hospital:
        us = balp.Party("sightline", "https://cds.example")
        ehr = balp.Party("https://ehr.example/fhir", "https://ehr.example/fhir")
        exchange = balp.Exchange(us, ehr, us)
        read = balp.patient_read(exchange, "Patient/ada", "ImagingStudy/1")
        asked = balp.patient_query(exchange, "Patient/bob", "GET Observation?patient=bob")
        token = balp.failed(balp.token_obtained(exchange, {}), "no", balp.Outcome.MINOR_FAILURE)
        for n, event in enumerate((read, asked, token)):
            event["recorded"] = f"2026-11-2{n}T10:00:00.000Z"
        hospital.append(read, asked, token)
        return hospital

    @pytest.mark.parametrize(
        ("asked", "which"),
        [
            ("patient=ada", [0]),
            ("entity=Patient/bob", [1]),
            ("entity=ImagingStudy/1", [0]),
            ("action=R", [0]),
            ("outcome=4", [2]),
            ("outcome=0", [0, 1]),
            ("type=110114", [2]),
            ("type=rest", [0, 1]),
            ("subtype=read,search-type", [0, 1]),
            ("agent:identifier=sightline", [0, 1, 2]),
            ("agent:identifier=urn:ietf:rfc:3986|https://ehr.example/fhir", [0, 1, 2]),
            ("agent:identifier=somebody", []),
            ("date=2026-11-21", [1]),
            ("date=ge2026-11-21&date=lt2026-11-22", [1]),
            ("date=ge2026-11-21&outcome=4", [2]),
            ("entity=ImagingStudy/1&outcome=4", []),
        ],
    )
    def test_what_matches(self, asked: str, which: list[int], trail: Hospital) -> None:
        ids = [event["id"] for event in trail.events()[:3]]
        found = trail.client().found(f"AuditEvent?_sort=date&date=lt2026-11-22T12:00:00Z&{asked}")
        assert found == [ids[n] for n in which]


class TestPages:
    @pytest.mark.parametrize("sort", ["", "&_sort=_lastUpdated", "&_sort=-date", "&_sort=date"])
    @pytest.mark.parametrize("kind", ["Observation", "AuditEvent", "Provenance"])
    def test_every_match_is_on_one_page(self, kind: str, sort: str, two: Hospital) -> None:
        sort = re.sub(r"date$", "recorded", sort) if kind == "Provenance" else sort
        client = two.client()
        before = set(client.found(f"{kind}?_count=200"))
        pages, url = [], f"{kind}?_count=2{sort}"
        while url:
            answer = client.get(url).get_json(force=True)
            pages.append([entry["resource"]["id"] for entry in answer["entry"]])
            links = {link["relation"]: link["url"] for link in answer["link"]}
            url = links.get("next", "").removeprefix(f"{BASE}/")
        seen = [id for page in pages for id in page]
        assert len(seen) == len(set(seen))
        assert before <= set(seen)

    def test_what_is_written_meanwhile_moves_no_page(self, two: Hospital) -> None:
        client = two.client()
        whole = client.found("Observation?_count=200")
        first = client.get("Observation?_count=4").get_json(force=True)
        two.write(results(two.ehr, "eve"))
        next_url = first["link"][1]["url"].removeprefix(f"{BASE}/")
        assert client.found(next_url) == whole[4:8]

    def test_the_next_link_names_no_patient(self, two: Hospital) -> None:
        answer = two.client().get("Observation?patient=ada&_count=1").get_json(force=True)
        assert "ada" in answer["link"][0]["url"]
        assert "ada" not in answer["link"][1]["url"]

    def test_a_page_is_its_clients_own(self, two: Hospital) -> None:
        answer = two.client().get("Observation?_count=1").get_json(force=True)
        url = answer["link"][1]["url"].removeprefix(f"{BASE}/")
        assert two.client().get(url).status_code == 200
        assert two.client(sub="other", client_id="other").get(url).status_code == 400
        assert two.client().get(url.replace("Observation", "Device")).status_code == 400
        assert two.client().get(url[:-9] + "A" * 8 + "=").status_code == 400


class TestIncluded:
    def included(self, client: Client, url: str) -> list[str]:
        entries = client.get(url).get_json(force=True)["entry"]
        return sorted(
            entry["resource"]["resourceType"] for entry in entries if entry["search"]["mode"] == "include"
        )

    def test_results_and_provenance_come_along(self, two: Hospital) -> None:
        url = "DiagnosticReport?patient=ada&_include=DiagnosticReport:result&_revinclude=Provenance:target"
        assert self.included(two.client(), url) == ["Observation"] * 3 + ["Provenance"]

    def test_what_the_token_does_not_open_does_not(self, two: Hospital) -> None:
        url = "DiagnosticReport?patient=ada&_include=DiagnosticReport:result&_revinclude=Provenance:target"
        client = two.client("system/DiagnosticReport.rs system/Observation.s")
        assert self.included(client, url) == ["Observation"] * 3

    def test_each_comes_once(self, two: Hospital) -> None:
        url = "Provenance?patient=bob&_include=Provenance:target&_include=Provenance:agent"
        found = self.included(two.client(), url)
        assert found == ["Device"] * 2 + ["DiagnosticReport"] * 2 + ["Observation"] * 6


class TestParts:
    def test_a_count_alone(self, two: Hospital) -> None:
        for asked in ("_summary=count", "_count=0"):
            answer = two.client().get(f"Observation?{asked}").get_json(force=True)
            assert (answer["total"], "entry" in answer) == (9, False)

    def test_a_total_beside_the_page(self, two: Hospital) -> None:
        answer = two.client().get("Observation?_total=accurate&_count=1").get_json(force=True)
        assert (answer["total"], len(answer["entry"])) == (9, 1)

    def test_elements_and_what_is_mandatory(self, two: Hospital) -> None:
        entries = two.client().get("DiagnosticReport?_elements=subject").get_json(force=True)["entry"]
        resource = entries[0]["resource"]
        assert set(resource) == {"resourceType", "id", "meta", "status", "code", "subject"}
        assert resource["meta"]["tag"][0]["code"] == "SUBSETTED"

    def test_a_summary(self, two: Hospital) -> None:
        entries = two.client().get("DiagnosticReport?_summary=true").get_json(force=True)["entry"]
        assert "effectiveDateTime" in entries[0]["resource"]
        assert {"conclusion", "_conclusion", "result"} & set(entries[0]["resource"]) == set()


class TestHandling:
    """FHIR R4 §3.1.1.6."""

    @pytest.mark.parametrize("asked", ["colour=red", "_sort=colour", "_include=Observation:subject", "name=x"])
    def test_what_is_not_known_is_passed_over_and_said(self, asked: str, two: Hospital) -> None:
        answer = two.client().get(f"Observation?patient=ada&{asked}").get_json(force=True)
        (told,) = [e["resource"] for e in answer["entry"] if e["search"]["mode"] == "outcome"]
        assert told["issue"][0]["severity"] == "warning"
        assert asked.partition("=")[0] in told["issue"][0]["diagnostics"]
        assert asked.partition("=")[0] not in answer["link"][0]["url"]

    @pytest.mark.parametrize("asked", ["colour=red", "_sort=colour", "_include=Observation:subject"])
    def test_or_refused(self, asked: str, two: Hospital) -> None:
        answer = two.client().get(f"Observation?{asked}", Prefer="handling=strict")
        assert answer.status_code == 400
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"

    @pytest.mark.parametrize(
        "asked",
        [
            "date=yesterday",
            "date=2026-13",
            "date=zz2026",
            "code:above=1",
            "patient=",
            "patient=Practitioner/1",
            "_count=-1",
            "_count=many",
            "_page=forged",
            "code=" + ",".join("x" * 101),
            "&".join(f"status={n}" for n in range(60)),
        ],
    )
    def test_what_cannot_be_understood_is_always_refused(self, asked: str, two: Hospital) -> None:
        answer = two.client().get(f"Observation?{asked}")
        assert answer.status_code == 400
        assert answer.get_json(force=True)["issue"][0]["severity"] == "error"

    @pytest.mark.parametrize(
        "value",
        [
            "'; DROP TABLE resource; --",
            "%",
            "a\\,b",
            "\0",
            "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
            "%(tenant)s",
        ],
    )
    def test_a_value_is_never_more_than_a_value(self, value: str, two: Hospital) -> None:
        form = {"code": value, "subject": value, "identifier": value, "_id": value.replace(",", "")}
        for name, asked in form.items():
            answer = two.client().open("POST", "Observation/_search", data={name: asked})
            assert answer.status_code in (200, 400)
            assert "entry" not in answer.get_json(force=True)


def test_a_post_is_a_search_too(two: Hospital) -> None:
    answer = two.client().open("POST", "Observation/_search?_count=2", data={"patient": "ada"})
    assert len(answer.get_json(force=True)["entry"]) == 2
    refused = two.client().open("POST", "Observation/_search", data="{}", Content_Type="application/json")
    assert refused.status_code == 415


def test_an_update_is_found_as_it_is_now(two: Hospital) -> None:
    from cds.store import resources

    client = two.client()
    ada = report(client, "ada")
    with two.database.transaction(two.tenant) as connection:
        changed = {name: value for name, value in ada.items() if name != "meta"} | {"status": "entered-in-error"}
        resources.put(connection, two.tenant, changed, patient="Patient/ada", fhir_server=two.ehr.fhir_servers[0])
    assert client.found("DiagnosticReport?patient=ada&status=preliminary") == []
    assert client.found("DiagnosticReport?status=entered-in-error") == [ada["id"]]
    assert client.found(f"DiagnosticReport?identifier={ada['identifier'][0]['value']}") == [ada["id"]]
