"""The FHIR client: what it sends, what it refuses to send, and what it makes of a bad answer."""

from __future__ import annotations

import gzip
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from cds.ehr.bearer import Bearer
from cds.ehr.exchange import exchange
from cds.ehr.fhir_client import MAX_PAGES, FhirClient
from cds.errors import BadAnswer, Missing, NotAllowed, Refused, Unreachable, UpstreamError
from cds.registration import Registration

BASE = "https://ehr.example/fhir"
PATIENT = {"resourceType": "Patient", "id": "p1"}

ClientOf = Callable[..., FhirClient]


def unreachable(request: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing may be sent")


def searchset(*resources: dict[str, object], next_: str | None = None) -> httpx.Response:
    links = [{"relation": "next", "url": next_}] if next_ else []
    entries = [{"resource": resource} for resource in resources]
    return httpx.Response(
        200, json={"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
    )


def study(number: int) -> dict[str, object]:
    return {"resourceType": "ImagingStudy", "id": f"s{number}"}


# Where a request may go


def test_a_base_that_is_not_registered_is_refused_before_any_call(registration: Registration) -> None:
    with httpx.Client(transport=httpx.MockTransport(unreachable)) as http:
        for base in ("https://evil.example/fhir", "https://ehr.example/fhir/tenant2", "https://ehr.example"):
            with pytest.raises(NotAllowed):
                FhirClient(http, registration, base)


def test_read_asks_for_fhir_json_with_the_token(client_of: ClientOf) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        assert request.url == f"{BASE}/Patient/p1"
        assert request.headers["Accept"] == "application/fhir+json"
        assert request.headers["Authorization"] == "Bearer secret"
        return httpx.Response(200, json=PATIENT)

    assert client_of(ehr, Bearer("secret", BASE)).read("Patient", "p1") == PATIENT


@pytest.mark.parametrize(
    ("type_", "id_"),
    [
        ("Patient", ".."),
        ("Patient", "."),
        ("Patient", "a/b"),
        ("Patient", "a?b"),
        ("Patient", ""),
        ("Patient", "x" * 65),
        ("Patient", "p1\n"),
        ("patient", "p1"),
        ("Patient/..", "p1"),
        ("", "p1"),
    ],
)
def test_what_is_no_type_or_id_never_enters_a_url(client_of: ClientOf, type_: str, id_: str) -> None:
    with pytest.raises(NotAllowed):
        client_of(unreachable).read(type_, id_)


def test_a_token_goes_nowhere_but_to_its_base(client_of: ClientOf) -> None:
    with pytest.raises(NotAllowed):
        client_of(unreachable, Bearer("secret", "https://other.example/fhir")).read("Patient", "p1")


def test_without_an_auth_of_ours_the_shared_clients_own_is_not_used(registration: Registration) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        assert "Authorization" not in request.headers
        return httpx.Response(200, json=PATIENT)

    with httpx.Client(transport=httpx.MockTransport(ehr), auth=("user", "password")) as http:
        assert FhirClient(http, registration, BASE).read("Patient", "p1") == PATIENT


def test_a_token_that_would_break_the_header_is_refused(client_of: ClientOf) -> None:
    with pytest.raises(NotAllowed):
        client_of(unreachable, Bearer("secret\r\nX-Evil: 1", BASE)).read("Patient", "p1")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Patient/p1", ("Patient", "p1")),
        ("Patient/p1/_history/3", ("Patient", "p1")),
        (f"{BASE}/Binary/b-1", ("Binary", "b-1")),
    ],
)
def test_references_to_this_server_resolve(client_of: ClientOf, reference: str, found: tuple[str, str]) -> None:
    assert client_of(unreachable).resolve(reference) == found


@pytest.mark.parametrize(
    "reference",
    [
        "https://evil.example/fhir/Patient/p1",
        "https://ehr.example/fhir2/Patient/p1",
        f"{BASE}/../admin/Patient/p1",
        f"{BASE}/Patient/..",
        "//evil.example/Patient/p1",
        "#contained",
        "urn:uuid:0d5e8f2a-3c07-4b6c-8a2b-0a9d4b6c8a2b",
        "Patient?identifier=1",
        "",
    ],
)
def test_references_to_anywhere_else_do_not(client_of: ClientOf, reference: str) -> None:
    with pytest.raises(NotAllowed):
        client_of(unreachable).resolve(reference)


# Search and its pages


def test_search_follows_next_until_it_has_enough(client_of: ClientOf) -> None:
    asked = []

    def ehr(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        page = int(request.url.params.get("page", 0))
        return searchset(study(2 * page), study(2 * page + 1), next_=f"{BASE}?page={page + 1}")

    found = client_of(ehr).search("ImagingStudy", {"patient": "p1", "_include": ["a:b", "c:d"]}, limit=3)
    assert [resource["id"] for resource in found] == ["s0", "s1", "s2"]
    assert asked == [f"{BASE}/ImagingStudy?patient=p1&_include=a%3Ab&_include=c%3Ad", f"{BASE}?page=1"]


def test_search_gives_matches_and_includes_but_no_outcome(client_of: ClientOf) -> None:
    endpoint = {"resourceType": "Endpoint", "id": "e1"}
    outcome = {"resourceType": "OperationOutcome"}
    client = client_of(lambda request: searchset(outcome, study(1), study(2), endpoint))
    assert client.search("ImagingStudy", {}, limit=1) == [study(1), endpoint]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/fhir?page=2",
        "http://ehr.example/fhir?page=2",
        "https://ehr.example:8443/fhir?page=2",
        "https://ehr.example/admin?page=2",
        "https://ehr.example/fhir2?page=2",
        "https://ehr.example/fhir/../admin",
        "https://ehr.example/fhir/%2e%2e/admin",
        "https://ehr.example/fhir/..%2fadmin",
        "https://ehr.example/fhir/..\\admin",
        "https://user@ehr.example/fhir?page=2",
        "//evil.example/fhir",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_a_next_link_away_from_the_base_is_refused(client_of: ClientOf, link: str) -> None:
    asked = []

    def ehr(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return searchset(study(1), next_=link)

    with pytest.raises(NotAllowed):
        client_of(ehr, Bearer("secret", BASE)).search("ImagingStudy", {}, limit=10)
    assert len(asked) == 1


def test_pages_that_never_end_do(client_of: ClientOf) -> None:
    asked = []

    def ehr(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return searchset(next_=f"{BASE}?page=again")

    assert client_of(ehr).search("ImagingStudy", {}, limit=10) == []
    assert len(asked) == MAX_PAGES


# Bad answers


@pytest.mark.parametrize(
    ("status", "leaf"),
    [
        (401, Refused),
        (403, Refused),
        (404, Missing),
        (410, Missing),
        (400, BadAnswer),
        (429, BadAnswer),
        (500, BadAnswer),
    ],
)
def test_a_status_becomes_its_leaf(client_of: ClientOf, status: int, leaf: type[UpstreamError]) -> None:
    with pytest.raises(leaf) as caught:
        client_of(lambda request: httpx.Response(status)).read("Patient", "p1")
    assert caught.value.status == status
    assert "p1" not in str(caught.value)


def test_of_an_outcome_only_the_code_is_repeated(client_of: ClientOf) -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {"code": "not-supported", "diagnostics": "Jane Roe, MRN 12345", "details": {"text": "Jane Roe"}},
            {"code": "jane-roe"},
        ],
    }
    with pytest.raises(BadAnswer) as caught:
        client_of(lambda request: httpx.Response(422, json=outcome)).read("Patient", "p1")
    assert str(caught.value) == "reading a Patient was answered 422 (not-supported)"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(registration: Registration, status: int) -> None:
    asked = []

    def ehr(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, headers={"Location": f"{BASE}/Patient/p2"})

    # Even where the shared client would follow them by itself.
    with httpx.Client(transport=httpx.MockTransport(ehr), follow_redirects=True) as http:
        client = FhirClient(http, registration, BASE, Bearer("secret", BASE))
        with pytest.raises(BadAnswer, match="redirect"):
            client.read("Patient", "p1")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b'{"resourceType": NaN}',
    ],
)
def test_what_is_no_json_object_is_a_bad_answer(client_of: ClientOf, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        client_of(lambda request: httpx.Response(200, content=body)).read("Patient", "p1")


def test_another_patient_than_the_one_asked_for_is_a_bad_answer(client_of: ClientOf) -> None:
    with pytest.raises(BadAnswer):
        client_of(lambda request: httpx.Response(200, json={**PATIENT, "id": "p2"})).read("Patient", "p1")


@pytest.mark.parametrize(
    "bundle",
    [
        {"resourceType": "Patient"},
        {},
        {"resourceType": 7},
    ],
)
def test_a_search_wants_a_bundle(client_of: ClientOf, bundle: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        client_of(lambda request: httpx.Response(200, json=bundle)).search("Patient", {}, 1)


def test_a_bundle_of_the_wrong_shapes_is_read_as_far_as_it_goes(client_of: ClientOf) -> None:
    bundle = {
        "resourceType": "Bundle",
        "link": [1, {"relation": "next"}],
        "entry": [None, {"resource": 3}, {"resource": study(1)}],
    }
    assert client_of(lambda request: httpx.Response(200, json=bundle)).search("ImagingStudy", {}, 5) == [study(1)]


def test_a_body_over_the_limit_is_given_up(client_of: ClientOf) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            sent.append(1)
            yield b" " * 1024

    client = client_of(lambda request: httpx.Response(200, content=endless()), max_bytes=4096)
    with pytest.raises(BadAnswer, match="larger than 4096 bytes"):
        client.read("Patient", "p1")
    assert len(sent) <= 6


def test_the_limit_holds_for_what_comes_out_of_a_compressed_body(client_of: ClientOf) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    packed = httpx.Response(200, content=bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadAnswer, match="larger"):
        client_of(lambda request: packed, max_bytes=100_000).read("Patient", "p1")


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "deflate"])
def test_an_encoding_that_was_not_asked_for_is_refused(client_of: ClientOf, encoding: str) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        return httpx.Response(200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(b"{}"))

    with pytest.raises(BadAnswer, match="encoding"):
        client_of(ehr).read("Patient", "p1")


def test_gzip_is_read(client_of: ClientOf) -> None:
    packed = gzip.compress(b'{"resourceType": "Patient", "id": "p1"}')
    headers = {"Content-Encoding": "gzip"}
    client = client_of(lambda request: httpx.Response(200, stream=httpx.ByteStream(packed), headers=headers))
    assert client.read("Patient", "p1") == PATIENT


# Time


def test_nothing_is_sent_when_no_time_is_left(client_of: ClientOf) -> None:
    with pytest.raises(Unreachable):
        client_of(unreachable, timeout_s=lambda: 0.0).read("Patient", "p1")


def test_each_call_has_what_the_deadline_leaves(client_of: ClientOf) -> None:
    remaining = iter([3.0, 2.0])
    given = []

    def ehr(request: httpx.Request) -> httpx.Response:
        given.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json=PATIENT)

    client = client_of(ehr, timeout_s=lambda: next(remaining))
    client.read("Patient", "p1")
    client.read("Patient", "p1")
    assert given == [3.0, 2.0]


def test_a_connection_that_fails_is_unreachable_without_a_word_about_where(client_of: ClientOf) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}", request=request)

    with pytest.raises(Unreachable) as caught:
        client_of(ehr).read("Patient", "p1")
    assert str(caught.value) == "the connection failed (ConnectError)"


def test_a_server_that_drips_its_answer_is_given_up_in_time() -> None:
    class Dripping(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                try:
                    self.request.sendall(b" ")
                except OSError:
                    return
                time.sleep(0.05)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server, httpx.Client() as http:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        request = httpx.Request("GET", f"http://127.0.0.1:{server.server_address[1]}/")
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="did not end in time"):
            exchange(http, request, timeout_s=0.3)
        assert time.monotonic() - begun < 1.5
        server.shutdown()


# Create


def test_create_says_where_it_is(client_of: ClientOf) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        assert request.url == f"{BASE}/Observation"
        assert request.headers["Content-Type"] == "application/fhir+json"
        return httpx.Response(201, headers={"Location": f"{BASE}/Observation/o1/_history/1"})

    assert client_of(ehr).create({"resourceType": "Observation"}) == "Observation/o1"


def test_a_conditional_create_that_matched_is_looked_up(client_of: ClientOf) -> None:
    def ehr(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.headers["If-None-Exist"] == "identifier=urn:x%7Cab%2Fc"
            return httpx.Response(200)
        assert request.url.params["identifier"] == "urn:x|ab/c"
        return searchset({"resourceType": "Observation", "id": "o7"})

    created = client_of(ehr).create({"resourceType": "Observation"}, if_none_exist="identifier=urn:x%7Cab%2Fc")
    assert created == "Observation/o7"


def test_what_is_found_is_the_first_that_matches(client_of: ClientOf) -> None:
    endpoint = {"resourceType": "Endpoint", "id": "e1"}
    several = client_of(lambda request: searchset(endpoint, study(1), study(2)))
    assert several.find("ImagingStudy", "identifier=x") == "ImagingStudy/s1"
    assert client_of(lambda request: searchset()).find("ImagingStudy", "identifier=x") is None
