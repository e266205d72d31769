"""``POST /api/v1/assess``: symptoms and values alone give a ranked list; what is wrong is named by its place."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import orjson
import pytest
from joserfc import jwt
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from cds.api.assess_request import InvalidFields, parse
from cds.api.openapi import openapi
from cds.errors import RequestError
from cds.findings import FINDINGS, Finding, Level
from cds.notes.observations import is_loinc
from cds.reporting.recommendations import BY_VALUE, TESTS, recommended
from tests import opened
from tests.hospital import Hospital

PATH = "/api/v1/assess"
PNEUMONIA: dict[str, Any] = {
    "age": 67,
    "sex": "female",
    "reason": "suspected pneumonia",
    "symptoms": ["productive cough", "fever", "chills"],
    "problems": ["type 2 diabetes"],
    "observations": [
        {"code": "59408-5", "value": 88, "unit": "%"},
        {"code": "8310-5", "value": 39.1, "unit": "Cel"},
        {"code": "6690-2", "value": 18.6, "unit": "10*3/uL"},
    ],
}
DOCUMENT = openapi("https://cds.example")


class Caller:
    """A registered EHR without FHIR."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital

    def token(self, path: str = PATH) -> str:
        key, issuer = self.hospital.sandbox.keys.cds_client, self.hospital.sandbox.fhir_base
        now = int(time.time())
        claims = {"iss": issuer, "aud": self.hospital.settings.base_url + path, "iat": now, "exp": now + 60}
        header = {"alg": "ES384", "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, {**claims, "jti": str(uuid4())}, key, algorithms=["ES384"])

    def __call__(self, body: object, token: str = "") -> TestResponse:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return self.hospital.app.test_client().post(PATH, data=raw, headers=headers)

    def events(self) -> list[dict[str, Any]]:
        """The tenant's audit trail."""
        with self.hospital.database.transaction("sandbox") as connection:
            return opened.events(connection, "sandbox")


@pytest.fixture(scope="module")
def assess(hospital: Hospital) -> Caller:
    return Caller(hospital)


def test_symptoms_and_values_alone_give_a_ranked_list_and_tests(assess: Caller) -> None:
    answer = assess(PNEUMONIA)
    assert answer.status_code == 200
    body = answer.get_json()
    first = body["findings"][0]
    assert (first["finding"], first["coding"]["code"]) == ("pneumonia", "233604007")
    assert first["level"] != "low"
    assert {finding["finding"] for finding in body["findings"]} == set(FINDINGS)
    radiograph = next(test for test in body["recommendedTests"] if test["coding"]["code"] == "36643-5")
    assert "pneumonia" in radiograph["findings"]
    assert all(test["reasons"] for test in body["recommendedTests"])
    assert [model["kind"] for model in body["models"]] == ["note", "identifiers", "fusion"]
    assert "not a diagnosis" in body["disclaimer"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_symptoms_alone_are_enough_and_a_note_is_heard(assess: Caller) -> None:
    alone = assess({"symptoms": ["headache"]}).get_json()
    assert {finding["level"] for finding in alone["findings"]} == {"low"}
    assert alone["recommendedTests"] == []
    note = "IMPRESSION: Large right pneumothorax.\nFAMILY HISTORY: emphysema, lung mass in the mother."
    findings = {
        f["finding"]: f["level"] for f in assess({"symptoms": ["pain"], "note": note}).get_json()["findings"]
    }
    assert (findings["pneumothorax"], findings["emphysema"], findings["mass"]) == ("high", "low", "low")


def test_the_sentences_behind_a_finding_come_with_their_place_in_the_note(assess: Caller) -> None:
    note = "Told to Dr. Quartermain.\nIMPRESSION: Large right pneumothorax. No pleural effusion."
    shown = assess({"symptoms": ["pain"], "note": note}).get_json()["evidence"]
    carried, denied = ({e["finding"]: e for e in shown}[key] for key in ("pneumothorax", "effusion"))
    assert (carried["assertion"], carried["text"]) == ("present", "Large right pneumothorax.")
    assert note[carried["start"] : carried["end"]] == carried["text"]
    assert carried["probability"] >= 0.85
    assert (denied["assertion"], denied["text"]) == ("negated", "No pleural effusion.")
    assert "probability" not in denied


def test_symptoms_that_carried_a_finding_are_shown_and_stand_in_no_note(assess: Caller) -> None:
    shown = [e for e in assess(PNEUMONIA).get_json()["evidence"] if e["finding"] == "pneumonia"]
    assert shown
    assert not any("start" in one for one in shown)


def test_nothing_of_what_was_said_is_kept_but_that_it_was_asked(assess: Caller) -> None:
    secret = "Zebulon Quartermain"
    said = {**PNEUMONIA, "reason": f"seen with {secret}", "note": f"{secret}, MRN 5550199, coughs."}
    answer = assess(said)
    assert secret.split()[1] not in answer.get_data(as_text=True)
    with assess.hospital.database.transaction("sandbox") as connection:
        tables = ("score", "prescreen", "resource", "audit_event")
        kept = " ".join(str(row) for table in tables for row in connection.execute(f"SELECT body FROM {table}"))
    assert "Quartermain" not in kept
    assert "5550199" not in kept


def test_an_assessment_and_its_refusal_are_in_the_audit_trail(assess: Caller) -> None:
    from cds.audit.verify import verify

    assess(PNEUMONIA)
    assess({**PNEUMONIA, "age": 151})
    answered, refused = assess.events()[-2:]
    names = [agent.get("name", "") for agent in answered["agent"]]
    assert (answered["entity"][0]["what"]["identifier"]["value"], answered["outcome"]) == ("assess", "0")
    assert any(name.startswith("clinical-note") for name in names)
    assert (refused["outcome"], refused["outcomeDesc"]) == (
        "4",
        "#/age: Input should be less than or equal to 150",
    )
    with assess.hospital.database.transaction("sandbox") as connection:
        assert verify(connection, "sandbox").intact


# Who may call


def test_only_a_registered_client_that_signed_for_this_very_address(assess: Caller) -> None:
    client = assess.hospital.app.test_client()
    bare = client.post(PATH, json=PNEUMONIA)
    assert (bare.status_code, bare.data, bare.headers["WWW-Authenticate"]) == (401, b"", "Bearer")
    assert assess(PNEUMONIA, assess.token("/cds-services/imaging-prescreen")).status_code == 401
    once = assess.token()
    assert [assess(PNEUMONIA, once).status_code for _ in range(2)] == [200, 401]


# What may be said

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"age": -1}, "#/age"),
    ({"age": 151}, "#/age"),
    ({"age": 67.5}, "#/age"),
    ({"age": "67"}, "#/age"),
    ({"age": True}, "#/age"),
    ({"sex": "F"}, "#/sex"),
    ({"symptoms": []}, "#/symptoms"),
    ({"symptoms": ["cough"] * 21}, "#/symptoms"),
    ({"symptoms": "cough"}, "#/symptoms"),
    ({"symptoms": ["cough", " "]}, "#/symptoms/1"),
    ({"symptoms": ["x" * 201]}, "#/symptoms/0"),
    ({"symptoms": ["..."]}, "#/symptoms/0"),
    ({"problems": ["\u200b"]}, "#/problems/0"),
    ({"symptoms": ["co\x00ugh"]}, "#/symptoms/0"),
    ({"symptoms": ["\u202ecough"]}, "#/symptoms/0"),
    ({"symptoms": [7]}, "#/symptoms/0"),
    ({"reason": "x" * 1001}, "#/reason"),
    ({"reason": "cough\x1b[2J"}, "#/reason"),
    ({"problems": ["x"] * 51}, "#/problems"),
    ({"note": "x" * 50_001}, "#/note"),
    ({"note": None}, "#/note"),
    ({"observations": [{"code": "59408-6", "value": 88, "unit": "%"}]}, "#/observations/0"),
    ({"observations": [{"code": "SpO2", "value": 88, "unit": "%"}]}, "#/observations/0/code"),
    ({"observations": [{"code": "59408-5", "value": "88", "unit": "%"}]}, "#/observations/0/value"),
    ({"observations": [{"code": "59408-5", "value": 1e300, "unit": "%"}]}, "#/observations/0/value"),
    ({"observations": [{"code": "59408-5", "value": 88, "unit": "kPa"}]}, "#/observations/0"),
    ({"observations": [{"code": "59408-5", "value": 101, "unit": "%"}]}, "#/observations/0"),
    ({"observations": [{"code": "8867-4", "value": -5, "unit": "/min"}]}, "#/observations/0"),
    ({"observations": [{"code": "8310-5", "value": 101, "unit": "Cel"}]}, "#/observations/0"),
    ({"observations": [{"code": "8310-5", "value": 39, "unit": "[degF]"}]}, "#/observations/0"),
    ({"observations": [{"code": "2744-1", "value": 74, "unit": "[pH]"}]}, "#/observations/0"),
    ({"observations": [{"code": "059408-5", "value": 88, "unit": "%"}]}, "#/observations/0/code"),
    ({"observations": [{"code": "2339-0", "value": 88, "unit": "of Mrs Quill"}]}, "#/observations/0"),
    ({"observations": [{"code": "59408-5", "value": 88}]}, "#/observations/0/unit"),
    ({"observations": [{"code": "59408-5", "value": 88, "unit": "%"}] * 101}, "#/observations"),
    ({"Ada Quill": 1}, "#/..."),
]


@pytest.mark.parametrize(("changes", "pointer"), WRONG, ids=lambda value: str(value)[:60])
def test_what_is_wrong_is_named_by_its_place_and_not_repeated(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        parse(orjson.dumps({**PNEUMONIA, **changes}))
    assert [place for place, _ in refused.value.errors] == [pointer]
    assert not any(word in str(refused.value) for word in ("Quill", "xxx", "SpO2"))


def test_of_many_wrong_fields_some_are_named() -> None:
    with pytest.raises(InvalidFields) as refused:
        parse(orjson.dumps({**PNEUMONIA, **{f"k{number}": 1 for number in range(20_000)}}))
    assert len(refused.value.errors) == 50


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"age": NaN}'])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(RequestError, match="not JSON"):
        parse(body)


def test_a_refusal_is_a_problem_with_every_field(assess: Caller) -> None:
    answer = assess({"age": 151, "symptoms": []})
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    problem = orjson.loads(answer.data)
    assert {error["pointer"] for error in problem["errors"]} == {"#/age", "#/symptoms"}
    assert problem["title"] in ("Unprocessable Content", "Unprocessable Entity")
    check(problem, "Problem")
    assert assess(b"{").status_code == 400
    assert assess(b"x" * (9 * 1024 * 1024)).status_code == 413


# How it is described


def check(instance: Any, schema: str) -> None:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(instance)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", PATH, 405, {"POST", "OPTIONS"}),
        ("TRACE", PATH, 405, {"POST", "OPTIONS"}),
        ("POST", "/api/v1/openapi.json", 405, {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/api/v1/asses", 404, set()),
        ("GET", "/api/v1", 404, set()),
        ("GET", "/api/v1/", 404, set()),
        ("GET", "/api/v1//assess", 404, set()),
    ],
)
def test_a_wrong_path_or_method_is_a_problem_too(
    assess: Caller, method: str, path: str, status: int, allow: set[str]
) -> None:
    answer = assess.hospital.app.test_client().open(path, method=method)
    assert (answer.status_code, set(answer.allow)) == (status, allow)
    assert answer.mimetype == "application/problem+json"
    assert orjson.loads(answer.data)["status"] == status


def test_other_paths_are_not_of_this_api(assess: Caller) -> None:
    assert assess.hospital.app.test_client().get("/api/v10").mimetype == "text/html"


def test_the_description_is_valid_served_and_true(assess: Caller) -> None:
    validate(DOCUMENT)
    served = assess.hospital.app.test_client().get("/api/v1/openapi.json").get_json()
    assert served == {**DOCUMENT, "servers": [{"url": assess.hospital.settings.base_url}]}
    check(PNEUMONIA, "AssessRequest")
    check(assess(PNEUMONIA).get_json(), "Assessment")


# Which tests are recommended


def test_every_finding_has_its_tests_and_every_code_is_loinc() -> None:
    assert TESTS.keys() == FINDINGS.keys()
    assert all(is_loinc(test.loinc) for tests in TESTS.values() for test, _ in tests if test.loinc)


def test_a_test_is_recommended_once_with_all_its_reasons_worst_finding_first() -> None:
    findings = [Finding(key, 0.9, Level.HIGH) for key in ("pneumothorax", "effusion")] + [
        Finding("mass", 0, Level.LOW)
    ]
    first, *others = recommended(findings)
    assert first.findings == ("pneumothorax", "effusion")
    assert len(first.reasons) == 2
    assert "CT of the chest" not in [one.test.display for one in others]


def test_a_raised_value_calls_for_a_test_that_no_finding_does() -> None:
    (angiography,) = recommended([], {"48065-7", "6690-2"})
    assert (angiography.test.display, angiography.findings) == ("CT pulmonary angiography", ())
    assert all(is_loinc(code) for code in BY_VALUE)
