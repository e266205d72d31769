"""Public FHIR clients (fhirclient, fhirpy, fhirclient.js) read the endpoint with tokens of the sandbox."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirclient import client as smart
from fhirclient.models.diagnosticreport import DiagnosticReport
from fhirclient.models.observation import Observation
from fhirclient.models.provenance import Provenance
from fhirpy import SyncFHIRClient
from joserfc import jwt

from tests.hospital import Hospital

LIBRARY = Path(__file__).parents[1] / "smart" / "fhirclient" / "node_modules" / "fhirclient"


@pytest.fixture(scope="module")
def patient(hospital: Hospital) -> str:
    """The id of a patient whose report is made."""
    patient = hospital.newcomer("pneumothorax")
    hospital.sign(patient)
    hospital.work()
    return patient.id


@pytest.fixture(scope="module")
def token(hospital: Hospital) -> str:
    """Backend Services with the service's own key: here it is the client of its own endpoint."""
    keys, base = hospital.app.test_client().get("/.well-known/jwks.json").get_json(), hospital.sandbox.base_url
    from cds.keys import Keys

    key = Keys.load(hospital.settings).signing.signer((), time.time())
    assert key.kid == keys["keys"][0]["kid"]
    endpoint = f"{base}/oauth/token"
    claims = {
        "iss": "sightline",
        "sub": "sightline",
        "aud": endpoint,
        "exp": int(time.time()) + 60,
        "jti": secrets.token_hex(8),
    }
    assertion = jwt.encode({"alg": key.alg, "kid": key.kid, "typ": "JWT"}, claims, key, algorithms=["ES384"])
    answer = httpx.post(
        endpoint,
        data={
            "grant_type": "client_credentials",
            "scope": "system/*.rs",
            "resource": f"{hospital.settings.base_url}/fhir",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        },
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def test_the_token_is_good_here_and_nowhere_else(hospital: Hospital, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{hospital.settings.base_url}/fhir/Device", headers=bearer).status_code == 200
    assert httpx.get(f"{hospital.sandbox.fhir_base}/Patient", headers=bearer).status_code == 401


def test_fhirclient(hospital: Hospital, token: str, patient: str) -> None:
    server = smart.FHIRClient(settings={"app_id": "x", "api_base": f"{hospital.settings.base_url}/fhir"}).server
    server.session.headers["Authorization"] = f"Bearer {token}"
    reports = list(DiagnosticReport.where({"patient": patient}).perform_resources_iter(server))
    assert [report.status for report in reports] == ["preliminary"]
    (report,) = reports
    assert DiagnosticReport.read(report.id, server).conclusion == report.conclusion
    observations = Observation.where({"patient": patient, "_count": "5"}).perform_resources_iter(server)
    assert {observation.id for observation in observations} == {
        result.reference.partition("/")[2] for result in report.result
    }
    (provenance,) = Provenance.where({"target": f"DiagnosticReport/{report.id}"}).perform_resources_iter(server)
    assert all(agent.who.reference.startswith("Device/") for agent in provenance.agent)


def test_fhirpy(hospital: Hospital, token: str, patient: str) -> None:
    client = SyncFHIRClient(f"{hospital.settings.base_url}/fhir", authorization=f"Bearer {token}")
    (report,) = client.resources("DiagnosticReport").search(patient=patient).fetch()
    observations = client.resources("Observation").search(patient=patient).limit(4)
    seen: list[Any] = list(observations)
    assert len(seen) == len(report["result"]) > 4
    assert observations.count() == len(seen)
    included = client.resources("DiagnosticReport").search(patient=patient).include("DiagnosticReport", "result")
    assert len(included.fetch_raw().entry) == 1 + len(seen)


def test_fhirclient_js(hospital: Hospital, token: str, patient: str) -> None:
    if not (shutil.which("node") and LIBRARY.is_dir()):
        pytest.skip("run `npm ci` in tests/smart/fhirclient")
    base = f"{hospital.settings.base_url}/fhir"
    script = Path(__file__).with_name("fhirclient.cjs")
    command = ["node", script, LIBRARY, base, token, patient]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["status"] == "preliminary"
    assert sorted(found["observations"]) == sorted(found["results"])
    assert found["resolved"] == found["results"]
    assert all(author.startswith("Device/") for author in found["authors"])
