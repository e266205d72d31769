"""batch and transaction (FHIR R4, 3.1.0.11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from cds.errors import PreconditionFailed, RequestError
from cds.sandbox.parts import Sandbox
from cds.sandbox.query import parse
from tests.sandbox.conftest import Bearer


def post(resource: dict[str, Any], full_url: str = "", **request: str) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"], **request}
    return {"fullUrl": full_url, "resource": resource, "request": request}


def put(resource: dict[str, Any], **request: str) -> dict[str, Any]:
    place = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": place, **request}}


def transaction(*entries: dict[str, Any], of_type: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": of_type, "entry": list(entries)}


def total(sandbox: Sandbox, of_type: str) -> int:
    return sandbox.records.search(parse(of_type, "")).total


PATIENT_URN = "urn:uuid:6f1f3c0e-27dd-4b8b-9a8a-0f6a3f6d1a01"
PATIENT = {"resourceType": "Patient", "name": [{"family": "Chalmers"}]}
CONDITION = {"resourceType": "Condition", "subject": {"reference": PATIENT_URN}}


def test_entries_refer_to_each_other_in_any_order(sandbox: Sandbox) -> None:
    response = sandbox.records.transaction(transaction(post(CONDITION), post(PATIENT, PATIENT_URN)))
    assert response["type"] == "transaction-response"
    condition, patient = (entry["response"]["location"].split("/_history")[0] for entry in response["entry"])
    assert [entry["response"]["status"] for entry in response["entry"]] == ["201 Created", "201 Created"]
    kept = sandbox.records.read(*condition.split("/"))
    assert kept["subject"]["reference"] == patient


def test_a_conditional_reference_finds_what_is_there(sandbox: Sandbox) -> None:
    practitioner = {
        "resourceType": "Practitioner",
        "id": "dr",
        "identifier": [{"system": "urn:npi", "value": "99"}],
    }
    sandbox.records.update(practitioner)
    encounter = {
        "resourceType": "Encounter",
        "participant": [{"individual": {"reference": "Practitioner?identifier=urn:npi|99"}}],
    }
    location = sandbox.records.transaction(transaction(post(encounter)))["entry"][0]["response"]["location"]
    kept = sandbox.records.read("Encounter", location.split("/")[1])
    assert kept["participant"][0]["individual"]["reference"] == "Practitioner/dr"
    encounter["participant"] = [{"individual": {"reference": "Practitioner?identifier=urn:npi|1"}}]
    with pytest.raises(PreconditionFailed):
        sandbox.records.transaction(transaction(post(encounter)))


def test_if_none_exist(sandbox: Sandbox) -> None:
    organization = {"resourceType": "Organization", "identifier": [{"system": "urn:o", "value": "1"}]}
    bundle = transaction(
        post(organization, "urn:uuid:o", ifNoneExist="identifier=urn:o|1"),
        post({"resourceType": "Location", "managingOrganization": {"reference": "urn:uuid:o"}}),
    )
    first, second = (sandbox.records.transaction(bundle)["entry"][0]["response"] for _ in range(2))
    assert (first["status"], second["status"]) == ("201 Created", "200 OK")
    assert first["location"] == second["location"]
    assert total(sandbox, "Organization") == 1


def test_put_twice_is_the_next_version(sandbox: Sandbox) -> None:
    bundle = transaction(put(PATIENT | {"id": "p1"}))
    etags = [sandbox.records.transaction(bundle)["entry"][0]["response"]["etag"] for _ in range(2)]
    assert etags == ['W/"1"', 'W/"2"']
    with pytest.raises(PreconditionFailed):
        sandbox.records.transaction(transaction(put(PATIENT | {"id": "p1"}, ifMatch='W/"1"')))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        "text",
        {"request": {"method": "POST", "url": "Patient"}},
        {"request": {"method": "DELETE", "url": "Patient/1"}},
        {"request": {"method": "GET", "url": "../etc"}},
        post({"resourceType": "Nonsense"}),
        post(PATIENT | {"meta": "x"}),
        post(PATIENT, url="Observation"),
        {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/1"}},
    ],
)
def test_all_or_nothing(sandbox: Sandbox, wrong: Any) -> None:
    with pytest.raises(RequestError):
        sandbox.records.transaction(transaction(post(PATIENT), wrong))
    assert total(sandbox, "Patient") == 0


def test_a_batch_is_each_for_itself(client: FlaskClient, bearer: Bearer, sandbox: Sandbox) -> None:
    reads = [
        {"request": {"method": "GET", "url": url}} for url in ("Patient/none", "Patient?name=chal", "Patient/p1")
    ]
    bundle = transaction(put(PATIENT | {"id": "p1"}), {}, *reads, of_type="batch")
    answer = client.post("/fhir", json=bundle, headers=bearer())
    assert answer.json is not None
    assert answer.json["type"] == "batch-response"
    statuses = [entry["response"]["status"] for entry in answer.json["entry"]]
    assert statuses == ["201 Created", "400 Bad Request", "404 Not Found", "200 OK", "200 OK"]
    assert answer.json["entry"][2]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert answer.json["entry"][3]["resource"]["total"] == 1


def test_scopes_hold_for_each_entry(client: FlaskClient, bearer: Bearer, sandbox: Sandbox) -> None:
    bundle = transaction(put(PATIENT | {"id": "p1"}), post({"resourceType": "Task"}))
    answer = client.post("/fhir/", json=bundle, headers=bearer("system/Patient.cu"))
    assert answer.status_code == 403
    assert total(sandbox, "Patient") == 0
    assert client.post("/fhir/", json=bundle).status_code == 401


def test_an_invalid_entry_fails_a_transaction_and_itself_in_a_batch(
    client: FlaskClient, bearer: Bearer, sandbox: Sandbox
) -> None:
    entries = post(PATIENT), post(PATIENT | {"birthDate": "spring"})
    assert client.post("/fhir", json=transaction(*entries), headers=bearer()).status_code == 422
    assert total(sandbox, "Patient") == 0
    answer = client.post("/fhir", json=transaction(*entries, of_type="batch"), headers=bearer())
    assert answer.json is not None
    statuses = [entry["response"]["status"] for entry in answer.json["entry"]]
    assert statuses == ["201 Created", "422 Unprocessable Entity"]


def test_what_is_no_bundle(client: FlaskClient, bearer: Bearer) -> None:
    for body in ({}, {"resourceType": "Bundle", "type": "message"}, {**transaction(), "entry": {}}):
        assert client.post("/fhir", json=body, headers=bearer()).status_code == 400


def test_synthea(sandbox: Sandbox, data: Path) -> None:
    path = min((data / "synthea").glob("*.json"))
    bundle = orjson.loads(path.read_bytes())
    response = sandbox.records.transaction(bundle)
    assert len(response["entry"]) == len(bundle["entry"])
    for entry in response["entry"]:
        of_type, id = entry["response"]["location"].split("/")[:2]
        assert b"urn:uuid:" not in _references(sandbox.records.read(of_type, id))


def _references(value: Any) -> bytes:
    if isinstance(value, dict):
        own = value.get("reference", "")
        return (own.encode() if isinstance(own, str) else b"") + b"".join(map(_references, value.values()))
    return b"".join(map(_references, value)) if isinstance(value, list) else b""
