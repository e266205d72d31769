"""read, create, update and who may do so (FHIR R4 "RESTful API", SMART App Launch 2.2, RFC 6750)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds.sandbox.parts import Sandbox
from tests.sandbox.conftest import BASE, Bearer

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Chalmers", "given": ["Peter"]}]}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "Pneumothorax"},
    "subject": {"reference": "Patient/p1"},
}


@pytest.fixture(autouse=True)
def patients(sandbox: Sandbox) -> None:
    sandbox.records.update(PATIENT)
    sandbox.records.update({"resourceType": "Patient", "id": "p2"})


class TestRead:
    def test_a_resource_with_its_version(self, client: FlaskClient, bearer: Bearer) -> None:
        answer = client.get("/fhir/Patient/p1", headers=bearer())
        assert answer.status_code == 200
        assert answer.mimetype == "application/fhir+json"
        assert answer.headers["ETag"] == 'W/"1"'
        assert "Last-Modified" in answer.headers
        assert answer.json is not None
        assert answer.json["name"] == PATIENT["name"]

    def test_not_modified(self, client: FlaskClient, bearer: Bearer) -> None:
        answer = client.get("/fhir/Patient/p1", headers=bearer() | {"If-None-Match": 'W/"1"'})
        assert answer.status_code == 304

    def test_vread(self, client: FlaskClient, bearer: Bearer, sandbox: Sandbox) -> None:
        sandbox.records.update(PATIENT | {"gender": "male"})
        answer = client.get("/fhir/Patient/p1/_history/1", headers=bearer())
        assert answer.json is not None
        assert "gender" not in answer.json

    @pytest.mark.parametrize(
        "place", ["Patient/none", "Nonsense/1", "Nonsense", "Patient/p1/_history/9", "a/b/c/d/e"]
    )
    def test_what_is_not_there(self, client: FlaskClient, bearer: Bearer, place: str) -> None:
        answer = client.get(f"/fhir/{place}", headers=bearer())
        assert answer.status_code == 404
        assert answer.mimetype == "application/fhir+json"
        assert answer.json is not None
        assert answer.json["issue"][0]["code"] == "not-found"

    def test_xml_is_not_served(self, client: FlaskClient, bearer: Bearer) -> None:
        for headers, url in (({"Accept": "application/fhir+xml"}, ""), ({}, "?_format=xml")):
            assert client.get(f"/fhir/Patient/p1{url}", headers=bearer() | headers).status_code == 406


class TestCreate:
    def test_where_it_is_now(self, client: FlaskClient, bearer: Bearer) -> None:
        answer = client.post("/fhir/Observation", json=OBSERVATION | {"id": "mine"}, headers=bearer())
        assert answer.status_code == 201
        assert answer.json is not None
        assert answer.json["id"] != "mine"
        assert answer.headers["Location"] == f"{BASE}/fhir/Observation/{answer.json['id']}/_history/1"
        assert answer.headers["ETag"] == 'W/"1"'

    def test_return_minimal(self, client: FlaskClient, bearer: Bearer) -> None:
        headers = bearer() | {"Prefer": "return=minimal"}
        answer = client.post("/fhir/Observation", json=OBSERVATION, headers=headers)
        assert (answer.status_code, answer.data) == (201, b"")

    def test_if_none_exist(self, client: FlaskClient, bearer: Bearer) -> None:
        observation = OBSERVATION | {"identifier": [{"system": "urn:x", "value": "1"}]}
        headers = bearer() | {"If-None-Exist": "identifier=urn:x|1"}
        first = client.post("/fhir/Observation", json=observation, headers=headers)
        second = client.post("/fhir/Observation", json=observation, headers=headers)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json is not None
        assert second.json is not None
        assert first.json["id"] == second.json["id"]
        client.post("/fhir/Observation", json=observation, headers=bearer())
        assert client.post("/fhir/Observation", json=observation, headers=headers).status_code == 412

    @pytest.mark.parametrize("condition", ["", "unknown=1", "_count=1"])
    def test_a_condition_that_selects_everything_is_none(
        self, client: FlaskClient, bearer: Bearer, condition: str
    ) -> None:
        headers = bearer() | {"If-None-Exist": f"Observation?{condition}"}
        assert client.post("/fhir/Observation", json=OBSERVATION, headers=headers).status_code == 400

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"resourceType": "Patient"}', b"\xff\xfe"])
    def test_a_body_that_is_no_observation(self, client: FlaskClient, bearer: Bearer, body: bytes) -> None:
        answer = client.post(
            "/fhir/Observation", data=body, headers=bearer(), content_type="application/fhir+json"
        )
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["resourceType"] == "OperationOutcome"

    @pytest.mark.parametrize("levels", [300, 900, 100_000])
    def test_a_body_without_end(self, client: FlaskClient, bearer: Bearer, levels: int) -> None:
        body = b'{"resourceType": "Basic", "x": ' + b'{"a": ' * levels + b"1" + b"}" * levels + b"}"
        answer = client.post("/fhir/Basic", data=body, headers=bearer(), content_type="application/fhir+json")
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("wrong", "place"),
        [
            ({"code": None}, "Observation"),
            ({"status": ["final"]}, "Observation.status"),
            ({"subject": "Patient/p1"}, "Observation.subject"),
            ({"effectiveDateTime": "Jane Doe"}, "Observation.effectiveDateTime"),
            ({"shoeSize": 42}, "Observation.shoeSize"),
        ],
    )
    def test_what_is_no_valid_resource(
        self, client: FlaskClient, bearer: Bearer, wrong: dict[str, Any], place: str
    ) -> None:
        body = {name: value for name, value in (OBSERVATION | wrong).items() if value is not None}
        answer = client.post("/fhir/Observation", json=body, headers=bearer())
        assert answer.status_code == 422
        assert answer.json is not None
        assert answer.json["issue"][0]["diagnostics"].startswith(place)
        assert b"Jane" not in answer.data
        assert client.put("/fhir/Observation/o1", json=body | {"id": "o1"}, headers=bearer()).status_code == 422

    def test_another_media_type(self, client: FlaskClient, bearer: Bearer) -> None:
        answer = client.post("/fhir/Observation", data=b"<x/>", headers=bearer(), content_type="text/xml")
        assert answer.status_code == 415

    def test_a_body_too_large(self, client: FlaskClient, bearer: Bearer) -> None:
        client.application.config["MAX_CONTENT_LENGTH"] = 1000
        answer = client.post("/fhir/Observation", json=OBSERVATION | {"x": "y" * 1000}, headers=bearer())
        assert answer.status_code == 413
        assert answer.mimetype == "application/fhir+json"


class TestUpdate:
    def test_the_next_version(self, client: FlaskClient, bearer: Bearer) -> None:
        answer = client.put("/fhir/Patient/p1", json=PATIENT | {"gender": "male"}, headers=bearer())
        assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')

    def test_as_create(self, client: FlaskClient, bearer: Bearer) -> None:
        assert client.put("/fhir/Patient/p9", json=PATIENT | {"id": "p9"}, headers=bearer()).status_code == 201

    def test_if_match(self, client: FlaskClient, bearer: Bearer) -> None:
        headers = bearer() | {"If-Match": 'W/"1"'}
        assert client.put("/fhir/Patient/p1", json=PATIENT, headers=headers).status_code == 200
        assert client.put("/fhir/Patient/p1", json=PATIENT, headers=headers).status_code == 412

    def test_the_id_must_be_that_of_the_url(self, client: FlaskClient, bearer: Bearer) -> None:
        assert client.put("/fhir/Patient/p2", json=PATIENT, headers=bearer()).status_code == 400

    def test_there_is_no_delete(self, client: FlaskClient, bearer: Bearer) -> None:
        answer = client.delete("/fhir/Patient/p1", headers=bearer())
        assert answer.status_code == 405
        assert answer.json is not None
        assert answer.json["issue"][0]["code"] == "not-supported"


class TestBinary:
    @pytest.fixture
    def place(self, sandbox: Sandbox) -> str:
        binary = {"resourceType": "Binary", "id": "b1", "contentType": "text/html", "data": "PGI+"}
        sandbox.records.update(binary)
        return "/fhir/Binary/b1"

    def test_its_bytes(self, client: FlaskClient, bearer: Bearer, place: str) -> None:
        for accept in ("*/*", "text/html", "text/html, application/fhir+json;q=0.5"):
            answer = client.get(place, headers=bearer() | {"Accept": accept})
            assert (answer.data, answer.mimetype) == (b"<b>", "text/html")
            assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert client.get(place, headers=bearer()).data == b"<b>"

    def test_as_fhir(self, client: FlaskClient, bearer: Bearer, place: str) -> None:
        for accept in ("application/fhir+json", "application/json", "application/fhir+json;q=0.9, */*;q=0.1"):
            answer = client.get(place, headers=bearer() | {"Accept": accept})
            assert answer.json is not None
            assert answer.json["data"] == "PGI+"

    def test_bytes_come_in(self, client: FlaskClient, bearer: Bearer) -> None:
        headers = bearer() | {"X-Security-Context": "Patient/p1"}
        answer = client.post("/fhir/Binary", data=b"%PDF-", headers=headers, content_type="application/pdf")
        assert answer.status_code == 201
        assert answer.json is not None
        assert base64.b64decode(answer.json["data"]) == b"%PDF-"
        assert answer.json["securityContext"] == {"reference": "Patient/p1"}


class TestAuthorization:
    def test_metadata_is_for_everyone(self, client: FlaskClient) -> None:
        answer = client.get("/fhir/metadata")
        assert answer.json is not None
        assert answer.json["fhirVersion"] == "4.0.1"
        studies = next(r for r in answer.json["rest"][0]["resource"] if r["type"] == "ImagingStudy")
        assert {"name": "started", "type": "date"} in studies["searchParam"]

    def test_no_token(self, client: FlaskClient) -> None:
        for place in ("Patient/p1", "Patient", "Nonsense", "a/b/c/d"):
            answer = client.get(f"/fhir/{place}")
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.mimetype == "application/fhir+json"

    def test_a_token_that_is_not_good_here(self, client: FlaskClient, bearer: Bearer) -> None:
        expired = bearer(lifetime_s=-1)
        elsewhere = bearer(audience=f"{BASE}/dicom-web")
        basic = {"Authorization": "Basic YTpi"}
        for headers in (expired, elsewhere, basic, {"Authorization": "Bearer x.y.z"}):
            answer = client.get("/fhir/Patient/p1", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    def test_out_of_scope(self, client: FlaskClient, bearer: Bearer) -> None:
        headers = bearer("user/Patient.rs")
        assert client.get("/fhir/Patient/p1", headers=headers).status_code == 200
        assert client.get("/fhir/Observation", headers=headers).status_code == 403
        assert client.post("/fhir/Patient", json=PATIENT, headers=headers).status_code == 403
        assert client.put("/fhir/Patient/p1", json=PATIENT, headers=headers).status_code == 403

    def test_the_compartment_of_the_patient(self, client: FlaskClient, bearer: Bearer, sandbox: Sandbox) -> None:
        mine = sandbox.records.create(OBSERVATION)
        other = sandbox.records.create(OBSERVATION | {"subject": {"reference": "Patient/p2"}})
        nobodys = sandbox.records.create({"resourceType": "Observation", "status": "final"})
        headers = bearer("patient/*.cruds", patient="p1")

        def status(place: str) -> int:
            return client.get(f"/fhir/{place}", headers=headers).status_code

        assert (status("Patient/p1"), status("Patient/p2")) == (200, 403)
        assert status(f"Observation/{mine['id']}") == 200
        assert status(f"Observation/{other['id']}") == 403
        assert status(f"Observation/{other['id']}/_history/1") == 403
        assert status(f"Observation/{nobodys['id']}") == 403
        found = client.get("/fhir/Observation", headers=headers).json
        assert found is not None
        assert [entry["resource"]["id"] for entry in found["entry"]] == [mine["id"]]
        everyone = client.get("/fhir/Patient", headers=headers).json
        assert everyone is not None
        assert everyone["total"] == 1

    def test_nothing_is_written_into_another_compartment(
        self, client: FlaskClient, bearer: Bearer, sandbox: Sandbox
    ) -> None:
        headers = bearer("patient/*.cruds", patient="p1")
        other = sandbox.records.create(OBSERVATION | {"subject": {"reference": "Patient/p2"}})
        stolen = other | {"subject": {"reference": "Patient/p1"}}
        assert client.put(f"/fhir/Observation/{other['id']}", json=stolen, headers=headers).status_code == 403
        outside = OBSERVATION | {"subject": {"reference": "Patient/p2"}}
        assert client.post("/fhir/Observation", json=outside, headers=headers).status_code == 403
        assert (
            client.post("/fhir/Practitioner", json={"resourceType": "Practitioner"}, headers=headers).status_code
            == 403
        )

    def test_a_binary_belongs_to_the_patient_of_its_document(
        self, client: FlaskClient, bearer: Bearer, sandbox: Sandbox
    ) -> None:
        for id, patient in (("b1", "p1"), ("b2", "p2")):
            sandbox.records.update(
                {"resourceType": "Binary", "id": id, "contentType": "text/plain", "data": "YQ=="}
            )
            sandbox.records.create(
                {
                    "resourceType": "DocumentReference",
                    "subject": {"reference": f"Patient/{patient}"},
                    "content": [{"attachment": {"url": f"Binary/{id}"}}],
                }
            )
        headers = bearer("patient/*.rs", patient="p1")
        assert client.get("/fhir/Binary/b1", headers=headers).data == b"a"
        assert client.get("/fhir/Binary/b2", headers=headers).status_code == 403
        assert client.get("/fhir/Binary", headers=headers).status_code == 403
        sandbox.records.update(
            {"resourceType": "Binary", "id": "b1", "securityContext": {"reference": "Patient/p2"}, "data": "YQ=="}
        )
        assert client.get("/fhir/Binary/b1", headers=headers).status_code == 403

    def test_a_binary_is_written_for_its_own_patient_only(self, client: FlaskClient, bearer: Bearer) -> None:
        headers = bearer("patient/*.cruds", patient="p1")
        for context, status in (("Patient/p1", 201), ("Patient/p2", 403), ("", 403)):
            more = headers | {"X-Security-Context": context}
            answer = client.post("/fhir/Binary", data=b"x", headers=more, content_type="text/plain")
            assert answer.status_code == status
        body = {"resourceType": "Binary", "contentType": "text/plain", "securityContext": "Patient/p1"}
        assert client.post("/fhir/Binary", json=body, headers=headers).status_code == 403
