"""AuditEvents as IHE BALP lays them down, and valid FHIR."""

import base64
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from cds.audit import balp
from cds.audit.balp import Exchange, Outcome, Party, User
from cds.findings import ModelVersion

US = Party("sightline", "https://cds.example")
EHR = Party("https://ehr.example/fhir", "https://ehr.example/fhir")
DOCTOR = User("https://ehr.example/fhir", "Practitioner/7")
READ = Exchange(client=US, server=EHR, observer=US, user=DOCTOR, token_id="jti-1", transaction="request-1")
CALL = Exchange(client=EHR, server=US, observer=US, user=DOCTOR, transaction="hook-instance-1")
MODEL = ModelVersion("image", "chest-radiograph", "1.0.0", "ab" * 32)

EVENTS = {
    "patient_read": balp.patient_read(READ, "Patient/1", "ImagingStudy/2"),
    "patient_query": balp.patient_query(READ, "Patient/1", "GET ImagingStudy?patient=1"),
    "patient_create": balp.patient_create(READ, "Patient/1", "DiagnosticReport/3"),
    "token_obtained": balp.token_obtained(
        READ, {"grant_type": "client_credentials", "client_assertion": "eyJ.x.y"}
    ),
    "hook_call": balp.hook_call(CALL, "imaging-prescreen", "Patient/1"),
    "inference": balp.inference(
        CALL, "Patient/1", inputs=["ImagingStudy/2", "DocumentReference/3"], models=[MODEL]
    ),
    "refusal": balp.refusal(CALL, "imaging-prescreen", "the token has expired"),
}


def agent(event: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [a for a in event["agent"] if a["type"]["coding"][0]["code"] == code]
    return found


def entity(event: dict[str, Any], type: str) -> dict[str, Any]:
    (found,) = [e for e in event["entity"] if e["type"]["code"] == type]
    return found


def roles(event: dict[str, Any]) -> list[str | None]:
    return [e.get("role", {}).get("code") for e in event["entity"]]


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_valid_fhir_and_comes_back_unchanged(name: str) -> None:
    parsed = AuditEvent.model_validate(EVENTS[name])
    assert AuditEvent.model_validate_json(parsed.model_dump_json()) == parsed


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_says_who_when_and_who_recorded_it(name: str) -> None:
    event = EVENTS[name]
    assert event["recorded"].endswith("Z")
    assert event["source"]["observer"] == {"identifier": {"value": "sightline"}}
    assert all("who" in a and "requestor" in a for a in event["agent"])


@pytest.mark.parametrize(
    ("name", "profile", "action", "subtype"),
    [
        ("patient_read", "IHE.BasicAudit.PatientRead", "R", "read"),
        ("patient_query", "IHE.BasicAudit.PatientQuery", "E", "search-type"),
        ("patient_create", "IHE.BasicAudit.PatientCreate", "C", "create"),
        ("token_obtained", "IHE.IUA.71", "E", "ITI-71"),
    ],
)
def test_each_pattern_claims_its_profile(name: str, profile: str, action: str, subtype: str) -> None:
    event = EVENTS[name]
    assert event["meta"]["profile"] == [f"https://profiles.ihe.net/ITI/BALP/StructureDefinition/{profile}"]
    assert (event["action"], event["subtype"][0]["code"], event["outcome"]) == (action, subtype, "0")


def test_in_a_read_the_client_is_the_destination() -> None:
    event = EVENTS["patient_read"]
    assert agent(event, "110152")["who"] == US.who
    assert agent(event, "110153")["who"] == EHR.who


@pytest.mark.parametrize("name", ["patient_query", "patient_create"])
def test_in_all_else_the_client_is_the_source(name: str) -> None:
    assert agent(EVENTS[name], "110153")["who"] == US.who
    assert agent(EVENTS[name], "110152")["who"] == EHR.who


@pytest.mark.parametrize("name", ["patient_read", "patient_query", "patient_create"])
def test_clients_and_servers_have_a_network_and_users_none(name: str) -> None:
    for found in EVENTS[name]["agent"]:
        assert ("network" in found) is not found["requestor"]


def test_the_user_is_named_by_issuer_and_subject_the_token_by_its_id() -> None:
    user = agent(EVENTS["patient_read"], "IRCP")
    assert user["who"]["identifier"] == {"system": "https://ehr.example/fhir", "value": "Practitioner/7"}
    assert user["policy"] == ["urn:ietf:params:oauth:jti:jti-1"]
    assert agent(EVENTS["patient_create"], "AUT")["requestor"] is True


def test_without_a_user_there_is_no_user_agent() -> None:
    event = balp.patient_read(Exchange(client=US, server=EHR, observer=US), "Patient/1", "ImagingStudy/2")
    assert len(event["agent"]) == 2
    assert roles(event) == ["4", "1"]


def test_a_read_names_resource_patient_and_transaction() -> None:
    event = EVENTS["patient_read"]
    assert roles(event) == ["4", "1", None]
    assert entity(event, "1")["what"] == {"reference": "Patient/1"}
    assert entity(event, "2")["what"] == {"reference": "ImagingStudy/2"}
    assert entity(event, "XrequestId")["what"]["identifier"]["value"] == "request-1"


def test_a_query_holds_the_raw_request_and_no_result() -> None:
    query = entity(EVENTS["patient_query"], "2")
    assert base64.b64decode(query["query"]) == b"GET ImagingStudy?patient=1"
    assert "what" not in query


def test_a_token_request_is_kept_without_its_secrets() -> None:
    event = EVENTS["token_obtained"]
    assert [a["type"]["coding"][0]["code"] for a in event["agent"]] == ["110150", "AuthzOauthService", "IRCP"]
    (only,) = event["entity"]
    assert base64.b64decode(only["query"]) == b"grant_type=client_credentials"


def test_an_inference_names_patient_inputs_and_model() -> None:
    event = EVENTS["inference"]
    assert roles(event) == ["20", "1", "4", "4", None]
    model = event["agent"][-1]
    assert model["name"] == "chest-radiograph 1.0.0"
    assert model["who"]["identifier"]["value"] == "sha256:" + "ab" * 32
    assert event["meta"]["profile"] == [balp.OURS + "inference"]


def test_a_refusal_says_why_in_an_operation_outcome() -> None:
    event = EVENTS["refusal"]
    assert (event["outcome"], event["outcomeDesc"]) == ("4", "the token has expired")
    assert event["contained"][0]["issue"][0]["diagnostics"] == "the token has expired"
    assert event["entity"][-1]["what"] == {"reference": "#why"}


def test_a_failed_event_no_longer_claims_the_profile_of_a_success() -> None:
    failed = balp.failed(EVENTS["patient_read"], "x" * 900, Outcome.SERIOUS_FAILURE)
    assert "meta" not in failed
    assert failed["outcome"] == "8"
    assert len(failed["outcomeDesc"]) == balp.REASON_CHARACTERS
    assert EVENTS["patient_read"]["outcome"] == "0"
    AuditEvent.model_validate(failed)
