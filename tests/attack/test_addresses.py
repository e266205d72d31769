"""Addresses that lead elsewhere: nothing goes to an unlisted one, and no token leaves its FHIR server."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Response

from tests.attack.parties import Ehr, Trap
from tests.attack.service import LEFT_OUT, TENANT, Service, assert_outcome, supplied

pytestmark = pytest.mark.timeout(300)

Json = dict[str, Any]
PATIENT: Json = {"resourceType": "Patient", "id": "p1"}


def host(party: Ehr | Trap) -> str:
    return party.base_url.removeprefix("http://")


def port(party: Ehr | Trap) -> str:
    return party.base_url.rpartition(":")[2]


SERVERS: dict[str, Callable[[Ehr, Trap], str]] = {
    "unlisted": lambda e, t: f"{t.base_url}/fhir",
    "the listed one as its user": lambda e, t: f"http://{host(e)}@{host(t)}/fhir",
    "the listed one with a user": lambda e, t: f"http://user:password@{host(e)}/fhir",
    "a user that is empty": lambda e, t: f"http://@{host(e)}/fhir",
    "another port": lambda e, t: f"http://127.0.0.1:{port(t)}/fhir",
    "another scheme": lambda e, t: e.fhir.replace("http:", "https:"),
    "a file": lambda e, t: "file:///etc/passwd",
    "gopher": lambda e, t: f"gopher://{host(t)}/fhir",
    "no scheme": lambda e, t: f"//{host(t)}/fhir",
    "a path alone": lambda e, t: "/fhir",
    "nothing": lambda e, t: "",
    "localhost": lambda e, t: f"http://localhost:{port(e)}/fhir",
    "a host with a dot at its end": lambda e, t: f"http://127.0.0.1.:{port(e)}/fhir",
    "an address in decimal": lambda e, t: f"http://2130706433:{port(e)}/fhir",
    "an address in IPv6": lambda e, t: f"http://[::ffff:127.0.0.1]:{port(e)}/fhir",
    "a bracket that does not close": lambda e, t: f"http://[127.0.0.1:{port(e)}/fhir",
    "a port that is none": lambda e, t: "http://127.0.0.1:99999/fhir",
    "a path in capitals": lambda e, t: f"{e.base_url}/FHIR",
    "the root above": lambda e, t: e.base_url,
    "a path below": lambda e, t: f"{e.fhir}/Patient",
    "a path that climbs": lambda e, t: f"{e.fhir}/../other",
    "a path that climbs in disguise": lambda e, t: f"{e.fhir}/%2e%2e/other",
    "another issuer's": lambda e, t: f"{e.base_url}/other",
    "a query": lambda e, t: f"{e.fhir}?x=1",
    "a fragment": lambda e, t: f"{e.fhir}#{host(t)}",
    "a backslash": lambda e, t: f"http://{host(e)}\\@{host(t)}/fhir",
    "a space before it": lambda e, t: f" {e.fhir}",
    "a line end behind it": lambda e, t: f"{e.fhir}\r\nHost: evil",
    "a NUL behind it": lambda e, t: f"{e.fhir}\0",
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_fhir_server_that_is_not_listed_is_403(name: str, service: Service, trap: Trap, ehr: Ehr) -> None:
    given = service.order(fhirServer=SERVERS[name](ehr, trap), prefetch={})
    if name == "nothing":
        given.pop("fhirAuthorization")
    with service.audited(TENANT, "fhirServer is not registered"):
        assert_outcome(service.post(given), 403, "fhirServer")
    assert ehr.asked == []


AUTHORIZATIONS: dict[str, tuple[Json, int, str]] = {
    "for another patient": ({"patient": "p2"}, 403, "another patient"),
    "for a list of patients": ({"patient": ["p1", "p2"]}, 400, "patient"),
    "for patient true": ({"patient": True}, 400, "patient"),
    "of another kind": ({"token_type": "MAC"}, 400, "token_type"),
    "without a scope": ({"scope": LEFT_OUT}, 400, "scope"),
    "with a line end": ({"access_token": "a\r\nHost: evil"}, 400, "access_token"),
    "with a space": ({"access_token": "a b"}, 400, "access_token"),
    "beyond ASCII": ({"access_token": "\u00e9"}, 400, "access_token"),
    "without end": ({"access_token": "a" * 9000}, 400, "access_token"),
}


@pytest.mark.parametrize("name", AUTHORIZATIONS)
def test_a_token_that_is_not_for_this_call(name: str, service: Service, ehr: Ehr) -> None:
    changes, status, reason = AUTHORIZATIONS[name]
    given = service.order(prefetch={})
    given["fhirAuthorization"] |= changes
    given["fhirAuthorization"] = {k: v for k, v in given["fhirAuthorization"].items() if v is not LEFT_OUT}
    with service.audited(TENANT, reason):
        assert_outcome(service.post(given), status, reason)
    assert ehr.asked == []


def test_a_token_for_no_server_is_400(service: Service) -> None:
    with service.audited(TENANT, "needs fhirServer"):
        assert_outcome(service.post(service.order(fhirServer=LEFT_OUT)), 400, "needs fhirServer")


ANSWERS: dict[str, tuple[Callable[[Trap], Response], str]] = {
    **{
        f"{status} to elsewhere": (
            lambda t, status=status: Response(
                status=status, headers={"Location": f"{t.base_url}/fhir/Patient/p1"}
            ),
            "redirect",
        )
        for status in (301, 302, 303, 307, 308)
    },
    "another patient": (lambda t: fhir({"resourceType": "Patient", "id": "p2"}), "another resource"),
    "another type": (lambda t: fhir({"resourceType": "Person", "id": "p1"}), "another resource"),
    "no JSON": (lambda t: Response(b"<html>"), "not JSON"),
    "no object": (lambda t: Response(b"[]"), "not a JSON object"),
    "JSON nested without end": (lambda t: Response(b"[" * 1_000_000), "not JSON"),
    "a bomb": (
        lambda t: Response(gzip.compress(b" " * (32 << 20)), headers={"Content-Encoding": "gzip"}),
        "larger than",
    ),
    "an encoding that nobody asked for": (
        lambda t: Response(b"x", headers={"Content-Encoding": "br"}),
        "encoding that was not asked for",
    ),
    "what is no gzip": (
        lambda t: Response(b"no gzip", headers={"Content-Encoding": "gzip"}),
        "decompressed",
    ),
    "an outcome that quotes a name": (
        lambda t: Response(
            b'{"resourceType": "OperationOutcome", "issue": [{"code": "Erika", "diagnostics": "Erika M."}]}',
            403,
        ),
        r"reading a Patient was answered 403$",
    ),
}


def fhir(resource: Json) -> Response:
    return Response(orjson.dumps(resource), mimetype="application/fhir+json")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_fhir_server_that_misbehaves_is_412(name: str, service: Service, trap: Trap, ehr: Ehr) -> None:
    answer, reason = ANSWERS[name]
    ehr.answers["/fhir/Patient/p1"] = answer(trap)
    with service.audited(TENANT, reason):
        assert_outcome(service.post(service.order(prefetch={})), 412, reason)
    assert_token_stayed(ehr)


LINKS: dict[str, Callable[[Ehr, Trap], str]] = {
    "elsewhere": lambda e, t: f"{t.base_url}/fhir/ImagingStudy?page=2",
    "without a scheme": lambda e, t: f"//{host(t)}/fhir/ImagingStudy",
    "with a user": lambda e, t: f"http://{host(e)}@{host(t)}/fhir",
    "with our server's name before it": lambda e, t: f"http://127.0.0.1:{port(e)}.evil.example/fhir",
    "to another port": lambda e, t: f"http://127.0.0.1:{port(t)}/fhir/ImagingStudy",
    "to another scheme": lambda e, t: e.fhir.replace("http:", "ftp:"),
    "above the base": lambda e, t: f"{e.base_url}/other/ImagingStudy",
    "climbing": lambda e, t: "../../other/ImagingStudy",
    "climbing in disguise": lambda e, t: f"{e.fhir}/%2e%2e/other",
    "with a backslash": lambda e, t: f"http://{host(e)}\\@{host(t)}/fhir",
    "with two slashes turned": lambda e, t: f"\\\\{host(t)}\\fhir",
    "with a control character": lambda e, t: f"{e.fhir}/ImagingStudy?page=\x01",
    "with a line end": lambda e, t: f"{e.fhir}/ImagingStudy\r\nHost: evil",
    "with a bad port": lambda e, t: "http://127.0.0.1:x/fhir",
    "with a bracket": lambda e, t: "http://[/fhir",
    "of script": lambda e, t: "javascript:alert(1)",
    "without end": lambda e, t: f"{e.fhir}/ImagingStudy?page={'x' * 70_000}",
}


def bundle(*resources: Json, following: str = "") -> Json:
    link = [{"relation": "next", "url": following}] if following else []
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entries}


@pytest.mark.parametrize("key", ["studies", "documents"])
@pytest.mark.parametrize("name", LINKS)
def test_a_next_link_that_leads_away_is_not_followed(
    name: str, key: str, service: Service, trap: Trap, ehr: Ehr
) -> None:
    page = bundle(following=LINKS[name](ehr, trap))
    assert_said(service.post(service.order(prefetch=supplied(**{key: page}))), "could not be had: ")
    assert_token_stayed(ehr)


def test_so_it_is_with_one_that_the_server_itself_gave(service: Service, trap: Trap, ehr: Ehr) -> None:
    ehr.has("/fhir/ImagingStudy", bundle(following=f"{trap.base_url}/fhir/ImagingStudy?page=2"))
    prefetch = {key: value for key, value in supplied().items() if key != "studies"}
    assert_said(service.post(service.order(prefetch=prefetch)), "leads away")
    assert_token_stayed(ehr)


def test_a_bundle_that_never_ends_is_left(service: Service, ehr: Ehr) -> None:
    ehr.has("/fhir/ImagingStudy", bundle(following=f"{ehr.fhir}/ImagingStudy"))
    prefetch = {key: value for key, value in supplied().items() if key != "studies"}
    assert service.post(service.order(prefetch=prefetch)).status_code == 200
    assert len(ehr.asked) <= 10


def study(**changes: Any) -> Json:
    given = {
        "resourceType": "ImagingStudy",
        "id": "s1",
        "status": "available",
        "subject": {"reference": "Patient/p1"},
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
        "modality": [{"code": "DX"}],
        "endpoint": [{"reference": "Endpoint/e1"}],
    }
    return given | changes


def endpoint(address: str) -> Json:
    connection = {
        "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
        "code": "dicom-wado-rs",
    }
    return {
        "resourceType": "Endpoint",
        "id": "e1",
        "status": "active",
        "connectionType": connection,
        "address": address,
    }


PACS: dict[str, Callable[[Ehr, Trap], str]] = {
    "elsewhere": lambda e, t: f"{t.base_url}/dicom-web",
    "the listed one as its user": lambda e, t: f"http://{host(e)}@{host(t)}/dicom-web",
    "above the root": lambda e, t: e.base_url,
    "beside the root": lambda e, t: f"{e.dicomweb}-evil",
    "the FHIR server": lambda e, t: e.fhir,
    "no scheme": lambda e, t: f"//{host(t)}/dicom-web",
    "a file": lambda e, t: "file:///etc",
    "another port": lambda e, t: f"http://127.0.0.1:{port(t)}/dicom-web",
}


@pytest.mark.parametrize("way", ["read", "included", "contained"])
@pytest.mark.parametrize("name", PACS)
def test_a_pacs_that_is_not_listed_is_not_called(
    name: str, way: str, service: Service, trap: Trap, ehr: Ehr
) -> None:
    at = endpoint(PACS[name](ehr, trap))
    studies = {
        "read": bundle(study()),
        "included": bundle(study(), at),
        "contained": bundle(study(contained=[at], endpoint=[{"reference": "#e1"}])),
    }[way]
    ehr.has("/fhir/Endpoint/e1", at)
    prefetch = supplied(studies=studies)
    assert_said(service.post(service.order(prefetch=prefetch)), "could not be had: the (PACS|address)")
    assert {path for path, _ in ehr.asked} <= {"/fhir/Endpoint/e1?"}
    assert_token_stayed(ehr)


MOST_TRIES = 20


@pytest.mark.parametrize(
    ("root", "answers"),
    [
        ("dicom-web", {"/dicom-web/studies/1.2.3/instances": 302}),
        ("guarded", {"/fhir/.well-known/smart-configuration": 302}),
        ("guarded", {"/fhir/.well-known/smart-configuration": 200}),
    ],
    ids=["a PACS that redirects", "a SMART configuration that redirects", "a token endpoint elsewhere"],
)
def test_a_listed_pacs_cannot_send_us_on(
    root: str, answers: dict[str, int], service: Service, trap: Trap, ehr: Ehr
) -> None:
    for path, status in answers.items():
        elsewhere = f"{trap.base_url}/token"
        ehr.has(path, {"token_endpoint": elsewhere, "issuer": elsewhere}, status, Location=elsewhere)
    studies = bundle(study(), endpoint(f"{ehr.base_url}/{root}"))
    prefetch = supplied(studies=studies)
    # Each of the service's processes keeps a SMART configuration until it was of no use.
    for _ in range(MOST_TRIES):
        assert_said(service.post(service.order(prefetch=prefetch)), "the image could not be had")
        asked = [path for path in answers if any(said.startswith(path) for said, _ in ehr.asked)]
        if asked:
            break
    assert asked == list(answers)
    assert_token_stayed(ehr)


ATTACHMENTS: dict[str, Callable[[Ehr, Trap], str]] = {
    "elsewhere": lambda e, t: f"{t.base_url}/note.txt",
    "a Binary elsewhere": lambda e, t: f"{t.base_url}/fhir/Binary/b1",
    "the listed one as its user": lambda e, t: f"http://{host(e)}@{host(t)}/fhir/Binary/b1",
    "no Binary": lambda e, t: "Patient/p2",
    "climbing": lambda e, t: "Binary/../Patient",
    "climbing in disguise": lambda e, t: "Binary/%2e%2e",
    "a query": lambda e, t: "Binary/b1?_pretty=true",
    "data": lambda e, t: "data:text/plain,hello",
    "a file": lambda e, t: "file:///etc/passwd",
}


@pytest.mark.parametrize("name", ATTACHMENTS)
def test_an_attachment_elsewhere_is_not_fetched(name: str, service: Service, trap: Trap, ehr: Ehr) -> None:
    note = {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/plain", "url": ATTACHMENTS[name](ehr, trap)}}],
    }
    prefetch = supplied(documents=bundle(note))
    assert_said(service.post(service.order(prefetch=prefetch)), "the note could not be had")
    assert ehr.asked == []


def test_people_and_endpoints_elsewhere_are_not_read(service: Service, trap: Trap, ehr: Ehr) -> None:
    away = [
        {"reference": f"{trap.base_url}/fhir/{type}/1"} for type in ("Practitioner", "Organization", "Endpoint")
    ]
    patient = PATIENT | {"generalPractitioner": away, "managingOrganization": away[0]}
    studies = bundle(study(endpoint=away, referrer=away[0], interpreter=away))
    prefetch = supplied(patient=patient, studies=studies)
    assert service.post(service.order(prefetch=prefetch)).status_code == 200
    # The registered PACS may have what is said to be elsewhere, and the EHR may give a token for it.
    ours = ("/dicom-web/", "/fhir/.well-known/")
    assert [path for path, _ in ehr.asked if not path.startswith(ours)] == []


@pytest.mark.parametrize("subject", ["Patient/p2", "http://evil.example/fhir/Patient/p1", "Group/p1"])
def test_what_is_another_patients_is_not_looked_at(subject: str, service: Service, ehr: Ehr) -> None:
    others = study(subject={"reference": subject}, endpoint=[{"reference": "Endpoint/e1"}])
    prefetch = supplied(studies=bundle(others))
    assert service.post(service.order(prefetch=prefetch)).json() == {"cards": []}
    assert ehr.asked == []


def test_another_patient_is_not_taken_for_ours(service: Service, ehr: Ehr) -> None:
    """What was supplied is not the patient that the call is about: ours is asked for."""
    ehr.has("/fhir/Patient/p1", PATIENT)
    prefetch = supplied(patient=PATIENT | {"id": "p2"})
    assert service.post(service.order(prefetch=prefetch)).status_code == 200
    assert [path for path, _ in ehr.asked] == ["/fhir/Patient/p1?"]


def assert_said(answer: Any, pattern: str) -> None:
    """A card says in words what could not be had."""
    assert answer.status_code == 200, answer.text
    (card,) = answer.json()["cards"]
    assert re.search(pattern, card["summary"] + card["detail"]), card
    assert "fault of ours" not in card["detail"]


def assert_token_stayed(ehr: Ehr) -> None:
    """What was lent for the call went to the FHIR server alone."""
    assert all(path.startswith("/fhir/") for path, authorization in ehr.asked if "lent" in authorization)
