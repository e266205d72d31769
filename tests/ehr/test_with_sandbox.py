"""The chart and the write-back over HTTP against the sandbox's FHIR server, with its tokens and scopes."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.serving import make_server

from cds.ehr.backend_services import BackendServices, TokenRequest
from cds.ehr.bearer import Bearer
from cds.ehr.chart import Chart
from cds.ehr.documents import Document
from cds.ehr.fhir_client import FhirClient
from cds.ehr.imaging_studies import select
from cds.ehr.prefetch import TEMPLATES, Prefetched
from cds.ehr.smart_configuration import Discovery
from cds.ehr.write_back import AMENDING, SAYING, SCOPES, Delivered, amend, deliver, say
from cds.errors import Missing, Refused
from cds.keys import Keys
from cds.registration import Registration
from cds.sandbox.app import create_app
from cds.sandbox.clients import Client
from cds.sandbox.parts import Sandbox

TODAY = date(2024, 6, 1)
SUBJECT = {"subject": {"reference": "Patient/p1"}}
CLINICAL_NOTE = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "code": "clinical-note",
}
READING = (
    "patient/Patient.r patient/ImagingStudy.rs patient/Endpoint.r patient/DocumentReference.rs patient/Binary.r"
)
WRITING = " ".join(SCOPES)


@dataclass(frozen=True)
class Ehr:
    """The sandbox, listening, and how to call it."""

    sandbox: Sandbox
    http: httpx.Client

    @property
    def registration(self) -> Registration:
        base = self.sandbox.fhir_base
        entry = {"issuer": base, "tenant": "sandbox", "fhirServers": [base], "jwksUrl": f"{base}/jwks"}
        return Registration.from_json({**entry, "clientId": "worker"})

    def client(self, scopes: str, *, patient: str | None = None) -> FhirClient:
        base = self.sandbox.fhir_base
        token = self.sandbox.tokens.issue(
            subject="tester",
            client_id="sightline",
            scopes=scopes.split(),
            audience=base,
            lifetime_s=60,
            patient=patient,
        )
        return FhirClient(self.http, self.registration, base, Bearer(token, base))

    def keep(self, *resources: dict[str, Any]) -> None:
        for resource in resources:
            self.sandbox.records.update(resource)


@pytest.fixture
def ehr(tmp_path: Path, keys: Keys) -> Iterator[Ehr]:
    worker = Client("worker", "Our worker", scopes=SCOPES, jwks=keys.signing.published(time.time()))
    server = make_server("127.0.0.1", 0, lambda environ, start: [], threaded=True)
    server.app = app = create_app(tmp_path, f"http://127.0.0.1:{server.port}", clients=[worker])
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    sandbox: Sandbox = app.extensions["sandbox"]
    with httpx.Client() as http:
        yield Ehr(sandbox, http)
    server.shutdown()
    serving.join()
    server.server_close()
    sandbox.records.close()
    sandbox.archive.close()


def study(id_: str, uid: str, started: str) -> dict[str, Any]:
    return {
        "resourceType": "ImagingStudy",
        "id": id_,
        "status": "available",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "started": started,
        "endpoint": [{"reference": "Endpoint/pacs"}],
        "series": [{"uid": f"{uid}.1", "modality": {"code": "DX"}, "bodySite": {"code": "51185008"}}],
        **SUBJECT,
    }


def note(id_: str, dated: str, **attachment: str) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": id_,
        "status": "current",
        "category": [{"coding": [CLINICAL_NOTE]}],
        "date": dated,
        "author": [{"reference": "Practitioner/dr"}],
        "content": [{"attachment": {"contentType": "text/plain", **attachment}}],
        **SUBJECT,
    }


@pytest.fixture
def patient(ehr: Ehr) -> Ehr:
    """An EHR that holds one patient's chart, and another patient's study."""
    encoded = base64.b64encode(b"No acute distress.").decode()
    ehr.keep(
        {"resourceType": "Patient", "id": "p1", "generalPractitioner": [{"reference": "Practitioner/dr"}]},
        {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Grey"}]},
        {
            "resourceType": "Endpoint",
            "id": "pacs",
            "status": "active",
            "connectionType": {"code": "dicom-wado-rs"},
            "address": ehr.sandbox.dicomweb_root,
        },
        study("older", "1.2.1", "2024-01-01T00:00:00Z"),
        study("newer", "1.2.2", "2024-05-01T00:00:00Z"),
        {**study("other", "1.2.3", "2024-05-30T00:00:00Z"), "subject": {"reference": "Patient/p2"}},
        {"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": encoded},
        note("inline", "2024-04-01T00:00:00Z", data=encoded),
        note("linked", "2024-05-01T00:00:00Z", url="Binary/b1"),
        note("absolute", "2024-05-02T00:00:00Z", url=f"{ehr.sandbox.fhir_base}/Binary/b1"),
        note("old", "2020-05-01T00:00:00Z", url="Binary/b1"),
    )
    return ehr


def test_the_chart_is_read_within_a_hooks_scopes(patient: Ehr, executor: Executor) -> None:
    client = patient.client(READING, patient="p1")
    chart = Chart(client, "p1", executor, today=TODAY)
    assert chart.patient()["id"] == "p1"
    selection = select(chart.studies(), chart.endpoints())
    assert [candidate.reference for candidate in selection.candidates] == [
        "ImagingStudy/newer",
        "ImagingStudy/older",
    ]
    assert selection.candidates[0].roots == (patient.sandbox.dicomweb_root,)
    contents = chart.contents()
    assert [content.reference[18:] for content in contents if isinstance(content, Document)] == [
        "absolute",
        "linked",
        "inline",
    ]
    assert {content.content for content in contents if isinstance(content, Document)} == {b"No acute distress."}


def test_the_templates_bring_what_the_chart_would_have_asked_for(patient: Ehr, executor: Executor) -> None:
    client = patient.client("system/*.cruds")
    supplied = {}
    for key, template in TEMPLATES.items():
        url = f"{patient.sandbox.fhir_base}/{template.replace('{{context.patientId}}', 'p1')}"
        token = patient.sandbox.tokens.issue(
            subject="s",
            client_id="c",
            scopes=["system/*.rs"],
            audience=patient.sandbox.fhir_base,
            lifetime_s=60,
        )
        supplied[key] = patient.http.get(url, headers={"Authorization": f"Bearer {token}"}).json()
    brought = Chart(client, "p1", executor, today=TODAY, prefetched=Prefetched(supplied))
    asked = Chart(client, "p1", executor, today=TODAY)
    assert brought.patient() == asked.patient()
    assert brought.studies() == asked.studies()
    assert brought.endpoints() == asked.endpoints()
    assert brought.documents() == asked.documents()
    assert [person["id"] for person in brought.people()] == ["dr"]


def test_what_the_scopes_do_not_cover_is_refused_piece_by_piece(patient: Ehr, executor: Executor) -> None:
    chart = Chart(patient.client("patient/Patient.r", patient="p1"), "p1", executor, today=TODAY)
    assert chart.patient()["id"] == "p1"
    for piece in (chart.studies, chart.documents):
        with pytest.raises(Refused):
            piece()
    with pytest.raises((Refused, Missing)):
        patient.client("patient/Patient.r", patient="p2").read("Patient", "p1")


def results() -> dict[str, Any]:
    report, finding, device, provenance = (f"urn:uuid:0000000{n}-0000-4000-8000-000000000000" for n in range(4))

    def ours(value: str) -> list[dict[str, str]]:
        return [{"system": "https://sightline.example/ids", "value": value}]

    resources = {
        report: {
            "resourceType": "DiagnosticReport",
            "identifier": ours("report-1"),
            "status": "preliminary",
            "code": {"text": "Prescreen"},
            "result": [{"reference": finding}],
            **SUBJECT,
        },
        finding: {
            "resourceType": "Observation",
            "identifier": ours("report-1/pneumothorax"),
            "status": "preliminary",
            "code": {"text": "Pneumothorax"},
            "device": {"reference": device},
            **SUBJECT,
        },
        device: {"resourceType": "Device", "identifier": ours("chest-radiograph/1.0.0")},
        provenance: {
            "resourceType": "Provenance",
            "recorded": "2024-06-01T00:00:00Z",
            "target": [{"reference": report}, {"reference": finding}],
            "agent": [{"who": {"reference": device}}],
        },
    }
    entries = [{"fullUrl": full_url, "resource": resource} for full_url, resource in resources.items()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def held(ehr: Ehr) -> dict[str, list[dict[str, Any]]]:
    reader = ehr.client("system/*.rs")
    types = ("DiagnosticReport", "Observation", "Device", "Provenance")
    return {type_: reader.search(type_, {}, 100) for type_ in types}


def test_results_are_delivered_once_however_often_and_by_whichever_way(patient: Ehr) -> None:
    client = patient.client(WRITING)
    first = deliver(client, results())
    kept = held(patient)
    assert {type_: len(resources) for type_, resources in kept.items()} == dict.fromkeys(kept, 1)
    (report,) = kept["DiagnosticReport"]
    assert report["result"] == [{"reference": f"Observation/{kept['Observation'][0]['id']}"}]
    assert kept["Provenance"][0]["target"][0] == {"reference": f"DiagnosticReport/{report['id']}"}
    assert first.of_type("DiagnosticReport") == (f"DiagnosticReport/{report['id']}",)
    assert deliver(client, results()) == first
    assert held(patient) == kept


def test_a_token_of_our_own_is_obtained_and_suffices(patient: Ehr, keys: Keys) -> None:
    requested: list[TokenRequest] = []
    base = patient.sandbox.fhir_base
    tokens = BackendServices(patient.http, keys, Discovery(patient.http), on_token=requested.append)
    auth = tokens.auth(patient.registration, base, SCOPES)
    delivered = deliver(FhirClient(patient.http, patient.registration, base, auth), results())
    assert [request.succeeded for request in requested] == [True]
    assert set(delivered.references.values()) == {
        f"{type_}/{resource['id']}" for type_, resources in held(patient).items() for resource in resources
    }


def test_one_by_one_comes_to_the_same(patient: Ehr) -> None:
    """A token whose transaction is refused as a whole, here by a proxy in front of the sandbox."""

    class Proxy(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and request.url.path == "/fhir":
                return httpx.Response(405)
            return super().handle_request(request)

    with httpx.Client(transport=Proxy()) as http:
        behind = Ehr(patient.sandbox, http)
        first = deliver(behind.client(WRITING), results())
        kept = held(patient)
        assert {type_: len(resources) for type_, resources in kept.items()} == dict.fromkeys(kept, 1)
        assert deliver(behind.client(WRITING), results()) == first
    assert deliver(patient.client(WRITING), results()) == first
    assert held(patient) == kept


def test_results_without_the_scope_are_refused_and_leave_nothing(patient: Ehr) -> None:
    with pytest.raises(Refused):
        deliver(patient.client("system/DiagnosticReport.crs system/Observation.crs"), results())
    assert held(patient)["DiagnosticReport"] == []


def withdrawn() -> dict[str, Any]:
    """The same results with a status of their own, and who took them back in the place of who made them."""
    entries = [entry for entry in results()["entry"] if entry["resource"]["resourceType"] != "Device"]
    for entry in entries:
        if entry["resource"]["resourceType"] == "Provenance":
            entry["resource"]["agent"] = [{"who": {"display": "Sightline"}}]
        else:
            entry["resource"]["status"] = "entered-in-error"
    return {**results(), "entry": entries}


def test_an_amendment_updates_what_is_there_and_adds_who_made_it(patient: Ehr) -> None:
    delivered = deliver(patient.client(WRITING), results())
    client = patient.client(" ".join(AMENDING))
    assert amend(client, withdrawn()) == amend(client, withdrawn())
    kept = held(patient)
    for type_ in ("DiagnosticReport", "Observation"):
        (resource,) = kept[type_]
        assert f"{type_}/{resource['id']}" in delivered.references.values()
        assert resource["status"] == "entered-in-error"
        assert resource["meta"]["versionId"] == "3"
    (report,) = kept["DiagnosticReport"]
    assert report["result"][0]["reference"] in delivered.references.values()
    assert len(kept["Provenance"]) == 2


def test_an_amendment_of_what_never_arrived_creates_nothing(patient: Ehr) -> None:
    assert amend(patient.client(" ".join(AMENDING)), withdrawn()) == Delivered()
    assert {type_: len(resources) for type_, resources in held(patient).items()} == dict.fromkeys(held(patient), 0)


def opinion(status: str = "preliminary") -> dict[str, Any]:
    """What a clinician says of the report, as the outbox has it."""
    (report,) = [r for e in results()["entry"] if (r := e["resource"])["resourceType"] == "DiagnosticReport"]
    about = {
        "reference": "DiagnosticReport/ours",
        "type": "DiagnosticReport",
        "identifier": report["identifier"][0],
    }
    said = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:ours", "value": "opinion"}],
        "status": status,
        "code": {"text": "Comment"},
        "focus": [about],
        "valueString": "An old scar.",
        **SUBJECT,
    }
    return {**results(), "entry": [{"fullUrl": "urn:uuid:opinion", "resource": said}]}


def said_of(ehr: Ehr) -> list[dict[str, Any]]:
    return [observation for observation in held(ehr)["Observation"] if "focus" in observation]


def test_an_opinion_is_one_about_the_ehrs_own_copy_of_the_report(patient: Ehr) -> None:
    delivered = deliver(patient.client(WRITING), results())
    client = patient.client(" ".join(SAYING))
    assert say(client, opinion()) == say(client, opinion())
    (said,) = said_of(patient)
    assert said["focus"][0]["reference"] == delivered.of_type("DiagnosticReport")[0]
    say(client, opinion("cancelled"))
    (over,) = said_of(patient)
    assert (over["id"], over["status"]) == (said["id"], "cancelled")


def test_an_opinion_on_what_the_ehr_does_not_hold_names_it_by_our_identifier(patient: Ehr) -> None:
    say(patient.client(" ".join(SAYING)), opinion())
    (said,) = said_of(patient)
    assert set(said["focus"][0]) == {"type", "identifier"}


def test_an_opinion_without_the_right_to_write_is_refused_and_leaves_nothing(patient: Ehr) -> None:
    with pytest.raises(Refused):
        say(patient.client("system/Observation.rs system/DiagnosticReport.rs"), opinion())
    assert said_of(patient) == []


def test_a_device_alone_is_amended(patient: Ehr) -> None:
    deliver(patient.client(WRITING), results())
    (entry,) = [entry for entry in results()["entry"] if entry["resource"]["resourceType"] == "Device"]
    out_of_use = {**entry, "resource": {**entry["resource"], "status": "inactive"}}
    amend(
        patient.client(" ".join(AMENDING)), {"resourceType": "Bundle", "type": "collection", "entry": [out_of_use]}
    )
    assert [device["status"] for device in held(patient)["Device"]] == ["inactive"]
