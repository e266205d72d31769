"""The chart: few round trips, what the hook brought along is not asked for again, no piece costs another."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import date
from typing import Any

import httpx
import pytest

from cds.ehr.chart import MAX_PEOPLE, Chart
from cds.ehr.documents import Document
from cds.ehr.fhir_client import FhirClient
from cds.ehr.prefetch import TEMPLATES, Prefetched
from cds.errors import BadAnswer, Missing, NoteError, Refused, Unreachable
from cds.reporting import codes

BASE = "https://ehr.example/fhir"
TODAY = date(2024, 6, 1)
OF_P1 = {"subject": {"reference": "Patient/p1"}}

ClientOf = Callable[..., FhirClient]


def note(id_: str, dated: str = "2024-05-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    attachment = {"contentType": "text/plain", "url": f"Binary/{id_}"}
    content = [{"attachment": attachment}]
    note = {"resourceType": "DocumentReference", "id": id_, "status": "current", "date": dated, "content": content}
    return {**note, **OF_P1, **more}


def study(id_: str, started: str = "2024-05-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    endpoint = {"endpoint": [{"reference": "Endpoint/e1"}]}
    return {
        "resourceType": "ImagingStudy",
        "id": id_,
        "status": "available",
        "started": started,
        **endpoint,
        **OF_P1,
        **more,
    }


def report(id_: str, dated: str = "2024-05-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    category = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]}]
    report = {"resourceType": "DiagnosticReport", "id": id_, "status": "final", "effectiveDateTime": dated}
    return {**report, "category": category, "conclusion": f"report {id_}", **OF_P1, **more}


def composition(id_: str, dated: str = "2024-05-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    section = [{"title": "Impression", "text": {"div": f"<div>composition {id_}</div>"}}]
    composition = {"resourceType": "Composition", "id": id_, "status": "final", "date": dated, "section": section}
    return {**composition, **OF_P1, **more}


def searchset(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in resources]}


class Ehr:
    """A FHIR server of one patient: searches give ``held`` by type, reads give what is there, all is recorded."""

    def __init__(self, *held: dict[str, Any]) -> None:
        self.held = held
        self.failing: dict[str, httpx.Response] = {}
        self.includes = True
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir/")
        type_, _, id_ = path.partition("/")
        self.asked.append(path)
        if type_ in self.failing:
            return self.failing[type_]
        if type_ == "Binary":
            return httpx.Response(200, content=f"note {id_}".encode(), headers={"Content-Type": "text/plain"})
        if id_:
            found = [r for r in self.held if (r["resourceType"], r["id"]) == (type_, id_)]
            return httpx.Response(200, json=found[0]) if found else httpx.Response(404)
        assert request.url.params["patient"] == "p1"
        if "_include" in request.url.params and not self.includes:
            return httpx.Response(400)
        found = [r for r in self.held if r["resourceType"] == type_]
        if type_ == "ImagingStudy" and "_include" in request.url.params:
            found += [r for r in self.held if r["resourceType"] == "Endpoint"]
        return httpx.Response(200, json=searchset(*found))


PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "generalPractitioner": [{"reference": "Practitioner/gp"}],
    "managingOrganization": {"reference": "Organization/clinic"},
}
ENDPOINT = {"resourceType": "Endpoint", "id": "e1"}


@pytest.fixture
def chart_of(client_of: ClientOf, executor: Executor) -> Callable[..., Chart]:
    def make(ehr: Callable[[httpx.Request], httpx.Response], **more: Any) -> Chart:
        return Chart(client_of(ehr), "p1", executor, today=TODAY, **more)

    return make


ChartOf = Callable[..., Chart]


def test_five_requests_at_once_bring_the_chart(chart_of: ChartOf) -> None:
    notes = [note("n1"), report("r1", "2024-05-03"), composition("c1", "2024-05-02")]
    ehr = Ehr(PATIENT, study("s1"), study("s2", "2024-05-02"), ENDPOINT, *notes)
    together = threading.Barrier(5, timeout=5)

    def slow(request: httpx.Request) -> httpx.Response:
        together.wait()
        return ehr(request)

    chart = chart_of(slow)
    assert chart.patient() == PATIENT
    assert [study["id"] for study in chart.studies()] == ["s2", "s1"]
    assert chart.endpoints() == [ENDPOINT]
    assert [document["id"] for document in chart.documents()] == ["r1", "c1", "n1"]
    assert sorted(ehr.asked) == [
        "Composition",
        "DiagnosticReport",
        "DocumentReference",
        "ImagingStudy",
        "Patient/p1",
    ]


def test_at_the_deadline_studies_are_there_or_not(chart_of: ChartOf) -> None:
    let_go = threading.Event()

    def late(request: httpx.Request) -> httpx.Response:
        assert let_go.wait(5)
        return Ehr(PATIENT, study("s1"))(request)

    chart = chart_of(late)
    assert chart.studies_at_hand() == []
    let_go.set()
    assert [study["id"] for study in chart.studies()] == ["s1"]
    assert chart.studies_at_hand() == chart.studies()


def test_studies_that_failed_are_not_at_hand(chart_of: ChartOf) -> None:
    ehr = Ehr(PATIENT)
    ehr.failing = {"ImagingStudy": httpx.Response(500)}
    chart = chart_of(ehr)
    with pytest.raises(BadAnswer):
        chart.studies()
    assert chart.studies_at_hand() == []


def test_relatives_are_asked_for_only_where_notes_are_read(chart_of: ChartOf) -> None:
    ehr = Ehr(PATIENT, note("n1"))
    chart = chart_of(ehr)
    chart.documents()
    assert "RelatedPerson" not in ehr.asked
    chart.people()
    assert "RelatedPerson" in ehr.asked


def test_what_is_asked_for_is_what_the_prefetch_templates_ask_for(chart_of: ChartOf) -> None:
    asked: dict[str, httpx.QueryParams] = {}

    def ehr(request: httpx.Request) -> httpx.Response:
        asked[request.url.path.removeprefix("/fhir/")] = request.url.params
        return httpx.Response(200, json={**PATIENT} if "Patient/" in request.url.path else searchset())

    chart_of(ehr, lookback_days=31).people()
    for template in (TEMPLATES["studies"], TEMPLATES["documents"], TEMPLATES["reports"]):
        type_, _, query = template.replace("{{context.patientId}}", "p1").partition("?")
        assert set(httpx.QueryParams(query).multi_items()) <= set(asked[type_].multi_items())
    assert asked["DocumentReference"]["date"] == "ge2024-05-01"


# Prefetch

NO_OTHERS = {"reports": None, "compositions": None}


def test_what_was_prefetched_is_not_asked_for(chart_of: ChartOf) -> None:
    ehr = Ehr()
    supplied = {
        "patient": PATIENT,
        "studies": searchset(study("s1"), ENDPOINT),
        "documents": note("n1"),
        **NO_OTHERS,
    }
    chart = chart_of(ehr, prefetched=Prefetched(supplied))
    assert chart.patient() == PATIENT
    assert chart.studies() == [study("s1")]
    assert chart.endpoints() == [ENDPOINT]
    assert chart.documents() == [note("n1")]
    assert set(ehr.asked) <= {"RelatedPerson"}


def test_null_is_known_to_be_empty(chart_of: ChartOf) -> None:
    ehr = Ehr(PATIENT, study("s1"), note("n1"))
    chart = chart_of(
        ehr, prefetched=Prefetched({"patient": None, "studies": None, "documents": None, **NO_OTHERS})
    )
    assert chart.studies() == chart.documents() == chart.endpoints() == chart.contents() == []
    with pytest.raises(Missing):
        chart.patient()
    assert set(ehr.asked) <= {"RelatedPerson"}


@pytest.mark.parametrize(
    "value", [{"resourceType": "OperationOutcome"}, {}, "text", 7, [], {"resourceType": "Observation"}]
)
def test_an_outcome_or_nonsense_was_not_supplied(chart_of: ChartOf, value: object) -> None:
    ehr = Ehr(PATIENT, study("s1"), ENDPOINT, note("n1"))
    chart = chart_of(ehr, prefetched=Prefetched({"patient": value, "studies": value, "documents": value}))
    assert chart.patient() == PATIENT
    assert chart.studies() == [study("s1")]
    assert chart.documents() == [note("n1")]


def test_what_the_ehr_was_denied_is_not_asked_for_again(chart_of: ChartOf) -> None:
    """CDS Hooks 2.0, "Prefetch": a service should look whether an OperationOutcome came in a resource's place."""
    denied = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    ehr = Ehr(PATIENT, study("s1"), note("n1"))
    keys = ("patient", "studies", "documents", "reports", "compositions")
    chart = chart_of(ehr, prefetched=Prefetched(dict.fromkeys(keys, denied)))
    for piece in (chart.patient, chart.studies, chart.documents):
        with pytest.raises(Refused, match=r"could not supply it \(forbidden\)"):
            piece()
    assert set(ehr.asked) <= {"RelatedPerson"}


def test_what_went_wrong_otherwise_is_asked_for(chart_of: ChartOf) -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    chart = chart_of(Ehr(PATIENT, study("s1")), prefetched=Prefetched({"patient": failed, "studies": failed}))
    assert chart.patient() == PATIENT
    assert chart.studies() == [study("s1")]


def test_a_paged_prefetch_is_followed(chart_of: ChartOf) -> None:
    first = {
        **searchset(study("s1")),
        "link": [{"relation": "next", "url": f"{BASE}/ImagingStudy?patient=p1&page=2"}],
    }
    ehr = Ehr(study("s2", "2024-05-02"))
    chart = chart_of(ehr, prefetched=Prefetched({"studies": first}))
    assert [study["id"] for study in chart.studies()] == ["s2", "s1"]


def test_another_patients_resources_are_never_looked_at(chart_of: ChartOf) -> None:
    stranger = {"subject": {"reference": "Patient/p2"}}
    elsewhere = {"subject": {"reference": "https://other.example/fhir/Patient/p1"}}
    wrong = {
        "patient": {**PATIENT, "id": "p2"},
        "studies": searchset(study("s1", **stranger), study("s2"), study("s3", **elsewhere)),
        "documents": searchset(note("n1", **stranger), note("n2", subject={"reference": f"{BASE}/Patient/p1"})),
    }
    chart = chart_of(Ehr(PATIENT), prefetched=Prefetched(wrong))
    assert chart.patient()["id"] == "p1"
    assert [study["id"] for study in chart.studies()] == ["s2"]
    assert [document["id"] for document in chart.documents()] == ["n2"]


@pytest.mark.parametrize(
    "somebody",
    [
        {"identifier": {"value": "4711"}},
        {"display": "Erika M."},
        {"reference": "#p"},
        [{"reference": "Patient/p1"}],
    ],
    ids=["by an identifier", "in words", "contained", "in a list"],
)
def test_a_subject_that_nobody_can_tell_is_not_taken_for_ours(somebody: object, chart_of: ChartOf) -> None:
    """FHIR R4, "Logical References": it may be anybody."""
    supplied = {"patient": PATIENT, "studies": searchset(study("s1", subject=somebody), study("s2"))}
    chart = chart_of(Ehr(), prefetched=Prefetched(supplied))
    assert [study["id"] for study in chart.studies()] == ["s2"]


# Notes


def test_notes_are_current_recent_newest_first_and_not_too_many(chart_of: ChartOf) -> None:
    ehr = Ehr(
        note("old", "2024-01-01T00:00:00Z"),
        note("a", "2024-05-03T00:00:00Z"),
        note("b", "2024-05-30T00:00:00Z"),
        note("c", "2024-05-20T00:00:00Z"),
        note("undated", "sometime"),
        note("superseded", status="superseded"),
        note("mistaken", docStatus="entered-in-error"),
    )
    chart = chart_of(ehr, lookback_days=60, max_documents=2)
    assert [document["id"] for document in chart.documents()] == ["b", "c"]
    chart = chart_of(ehr, lookback_days=60, max_documents=9)
    assert [document["id"] for document in chart.documents()] == ["b", "c", "a", "undated"]


@pytest.mark.parametrize(
    "target", ["DocumentReference/draft", f"{BASE}/DocumentReference/draft", "DocumentReference/draft/_history/2"]
)
def test_a_note_that_another_replaces_is_not_read_whatever_its_status(chart_of: ChartOf, target: str) -> None:
    corrected = note("corrected", relatesTo=[{"code": "replaces", "target": {"reference": target}}])
    ehr = Ehr(note("draft"), corrected, note("other", "2024-04-30"))
    chart = chart_of(ehr, max_documents=2)
    assert [document["id"] for document in chart.documents()] == ["corrected", "other"]


def test_a_composition_replaces_another_too(chart_of: ChartOf) -> None:
    related = [{"code": "replaces", "targetReference": {"reference": "Composition/draft"}}]
    found = chart_of(Ehr(composition("draft"), composition("final", relatesTo=related))).documents()
    assert [document["id"] for document in found] == ["final"]


def test_what_is_appended_stands_beside_what_it_is_appended_to(chart_of: ChartOf) -> None:
    """And nothing that does not count, or names itself, replaces anything."""
    related = {"relatesTo": [{"code": "appends", "target": {"reference": "DocumentReference/report"}}]}
    replaces = {"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/report"}}]}
    mistaken = note("mistaken", docStatus="entered-in-error", **replaces)
    ehr = Ehr(note("addendum", "2024-05-02", **related), mistaken, note("report", **replaces))
    assert [document["id"] for document in chart_of(ehr).documents()] == ["addendum", "report"]


def test_what_an_algorithm_wrote_is_never_read(chart_of: ChartOf) -> None:
    """Our own preliminary reports lie in the chart too: a model must not read what a model said."""
    labelled = {"meta": {"security": [codes.AIAST]}}
    identified = {"identifier": [{"system": codes.PRESCREEN_IDENTIFIER, "value": "1"}]}
    ehr = Ehr(report("r1", **labelled), report("r2", **identified), report("r3"), note("n1", **labelled))
    assert [document["id"] for document in chart_of(ehr).documents()] == ["r3"]


def test_reports_are_of_radiology_made_and_recent(chart_of: ChartOf) -> None:
    laboratory = [{"coding": [{"code": "LAB"}]}]
    study = {"imagingStudy": [{"reference": "ImagingStudy/s1"}]}
    ehr = Ehr(
        report("laboratory", category=laboratory),
        report("of a study", "2024-05-03", category=laboratory, **study),
        report("uncategorised", "2024-05-02", category=[]),
        report("registered", status="registered"),
        report("cancelled", status="cancelled"),
        report("old", "2024-01-01"),
        report("during", effectiveDateTime=None, effectivePeriod={"start": "2024-05-01"}),
        report("issued", effectiveDateTime=None, issued="2024-04-30T08:00:00Z"),
    )
    found = [document["id"] for document in chart_of(ehr, lookback_days=60).documents()]
    assert found == ["of a study", "uncategorised", "during", "issued"]


def test_neither_notes_nor_reports_keep_the_other_out(chart_of: ChartOf) -> None:
    notes = [note(f"n{day}", f"2024-05-1{day}") for day in range(4)]
    reports = [report(f"r{day}", f"2024-05-0{day + 1}") for day in range(4)]
    found = chart_of(Ehr(*notes, *reports, composition("c", "2024-05-20")), max_documents=2).documents()
    assert [document["id"] for document in found] == ["c", "n3", "r3", "r2"]


def test_contents_come_in_the_order_of_the_notes_each_with_its_own_failure(chart_of: ChartOf) -> None:
    inline = {"attachment": {"contentType": "text/plain", "data": base64.b64encode(b"inline").decode()}}
    picture = {"attachment": {"contentType": "image/png", "url": "Binary/x"}}
    ehr = Ehr(
        note("n3", "2024-05-03T00:00:00Z"),
        note("n2", "2024-05-02T00:00:00Z", content=[picture]),
        note("n1", "2024-05-01T00:00:00Z", content=[inline]),
    )
    first, second, third = chart_of(ehr).contents()
    assert isinstance(first, Document)
    assert first.content == b"note n3"
    assert isinstance(second, NoteError)
    assert isinstance(third, Document)
    assert third.content == b"inline"


# Failures


def test_a_piece_that_fails_costs_no_other(chart_of: ChartOf) -> None:
    ehr = Ehr(PATIENT, study("s1"), ENDPOINT, note("n1"))
    ehr.failing = {"ImagingStudy": httpx.Response(503), "RelatedPerson": httpx.Response(403)}
    chart = chart_of(ehr)
    assert chart.patient() == PATIENT
    assert [document["id"] for document in chart.documents()] == ["n1"]
    for piece in (chart.studies, chart.endpoints):
        with pytest.raises(BadAnswer):
            piece()
    assert chart.people() == []
    ehr.failing = {"Patient": httpx.Response(401), "DocumentReference": httpx.Response(404)}
    chart = chart_of(ehr)
    assert [study["id"] for study in chart.studies()] == ["s1"]
    with pytest.raises(Refused):
        chart.patient()
    with pytest.raises(Missing):
        chart.contents()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
def test_a_kind_of_note_that_the_ehr_does_not_offer_costs_nothing(status: int, chart_of: ChartOf) -> None:
    ehr = Ehr(note("n1"))
    ehr.failing = dict.fromkeys(("DiagnosticReport", "Composition"), httpx.Response(status))
    chart = chart_of(ehr)
    assert [document["id"] for document in chart.documents()] == ["n1"]
    assert chart.lacking() == []


def test_a_kind_of_note_that_fails_is_told_and_the_others_are_there(chart_of: ChartOf) -> None:
    ehr = Ehr(note("n1"), report("r1"))
    ehr.failing = {"DocumentReference": httpx.Response(404), "Composition": httpx.Response(503)}
    chart = chart_of(ehr)
    assert [document["id"] for document in chart.documents()] == ["r1"]
    notes, compositions = chart.lacking()
    assert notes == "the clinical notes could not be had: searching DocumentReference was answered 404"
    assert compositions == "the compositions could not be had: searching Composition was answered 503"


def test_no_notes_where_a_kind_failed_is_that_failure(chart_of: ChartOf) -> None:
    ehr = Ehr()
    ehr.failing = {"DiagnosticReport": httpx.Response(503)}
    with pytest.raises(BadAnswer, match="DiagnosticReport"):
        chart_of(ehr).documents()


def test_a_server_that_refuses_an_include_is_asked_without_it(chart_of: ChartOf) -> None:
    ehr = Ehr(PATIENT, study("s1"), ENDPOINT, note("n1"))
    ehr.includes = False
    chart = chart_of(ehr)
    assert chart.studies() == [study("s1")]
    assert chart.endpoints() == [ENDPOINT]
    assert chart.documents() == [note("n1")]


def test_endpoints_that_cannot_be_read_say_why(chart_of: ChartOf) -> None:
    ehr = Ehr(study("s1"))
    ehr.failing = {"Endpoint": httpx.Response(403)}
    with pytest.raises(Refused):
        chart_of(ehr).endpoints()


def test_endpoints_are_limited(chart_of: ChartOf) -> None:
    named = [{"reference": f"Endpoint/e{n}"} for n in range(50)]
    ehr = Ehr(study("s1", endpoint=named), *({"resourceType": "Endpoint", "id": f"e{n}"} for n in range(50)))
    ehr.includes = False
    assert [endpoint["id"] for endpoint in chart_of(ehr).endpoints()] == ["e0", "e1", "e2", "e3"]


def test_no_time_left_is_said_by_every_piece(client_of: ClientOf, executor: Executor) -> None:
    chart = Chart(client_of(Ehr(PATIENT), timeout_s=lambda: 0.0), "p1", executor)
    for piece in (chart.patient, chart.studies, chart.documents, chart.contents, chart.endpoints):
        with pytest.raises(Unreachable):
            piece()
    assert chart.people() == []


# People


def test_people_are_whom_the_chart_refers_to(chart_of: ChartOf) -> None:
    people = [
        {"resourceType": "Practitioner", "id": "gp"},
        {"resourceType": "Organization", "id": "clinic"},
        {"resourceType": "Practitioner", "id": "author"},
        {"resourceType": "RelatedPerson", "id": "wife", "patient": {"reference": "Patient/p1"}},
    ]
    author = {"author": [{"reference": "Practitioner/author"}, {"reference": "Practitioner/gone"}]}
    device = {
        "authenticator": {"reference": "Device/d1"},
        "custodian": {"reference": "https://x.example/Organization/1"},
    }
    read = {
        "performer": [{"reference": "Organization/x-ray"}],
        "resultsInterpreter": [{"reference": "Practitioner/radiologist"}],
    }
    people += [
        {"resourceType": "Organization", "id": "x-ray"},
        {"resourceType": "Practitioner", "id": "radiologist"},
    ]
    ehr = Ehr(PATIENT, note("n1", **author, **device), report("r1", **read), *people)
    found = chart_of(ehr).people()
    assert sorted(person["id"] for person in found) == ["author", "clinic", "gp", "radiologist", "wife", "x-ray"]
    assert len(ehr.asked) == len(set(ehr.asked))
    assert not [path for path in ehr.asked if path.startswith("Device")]


def test_people_are_limited(chart_of: ChartOf) -> None:
    authors = [{"reference": f"Practitioner/a{n}"} for n in range(100)]
    people = [{"resourceType": "Practitioner", "id": f"a{n}"} for n in range(100)]
    assert len(chart_of(Ehr(note("n1", author=authors), *people)).people()) == MAX_PEOPLE
