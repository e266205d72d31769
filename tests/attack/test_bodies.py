"""Bodies that mean harm (RFC 8259, RFC 9110, RFC 9112): a clear 4xx, and the reason in the audit trail."""

from __future__ import annotations

import gzip
import re
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from cds.settings import Settings
from tests.attack.parties import Ehr, Trap
from tests.attack.service import FEEDBACK, PATH, PUBLIC, TENANT, Service, assert_outcome

pytestmark = pytest.mark.timeout(300)

LIMIT = Settings().max_body_bytes

NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"hook": "order-sign"',
    "an object and more": b'{"hook": "order-sign"} {}',
    "a list": b"[]",
    "null": b"null",
    "text": b'"order-sign"',
    "NaN": b'{"hook": NaN, "feedback": NaN}',
    "Infinity": b'{"hook": -Infinity, "feedback": -Infinity}',
    "a number beyond all doubles": b'{"hook": 1e999, "feedback": 1e999}',
    "no UTF-8": b'{"hook": "\xff\xfe", "feedback": "\xff"}',
    "UTF-16": '{"hook": "order-sign", "feedback": []}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"hook": "order-sign"}',
    "half a character": b'{"hook": "\\ud800", "feedback": "\\ud800"}',
    "lists nested without end": b"[" * 1_000_000,
    "objects nested without end": b'{"feedback":' * 100_000,
    "single quotes": b"{'hook': 'order-sign'}",
    "a comment": b'{"hook": "order-sign" /* */}',
    "NUL bytes": b"\0" * 100,
    "XML": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "a form": b"hook=order-sign&feedback=1",
}


@pytest.mark.parametrize("path", [PATH, FEEDBACK])
@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_request_is_400(name: str, path: str, service: Service) -> None:
    with service.audited(TENANT, "not JSON|JSON object|answers the hook"):
        assert_outcome(service.post(NO_JSON[name], path=path), 400, "not JSON|JSON object|answers the hook")


LAST = ("Connection", "close")


class TestSize:
    """Whoever sends too much has no other call on that line: the rest of it is still coming."""

    def test_one_byte_too_many_is_413(self, service: Service) -> None:
        headers = [("Authorization", f"Bearer {service.token()}"), LAST]
        with service.audited(TENANT, "larger than"):
            assert_outcome(service.post(b" " * (LIMIT + 1), headers=headers), 413, "larger than")

    def test_so_it_is_in_chunks_that_announce_nothing(self, service: Service) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(LIMIT // 65536 + 2):
                yield b" " * 65536

        headers = [("Authorization", f"Bearer {service.token()}"), LAST]
        with service.audited(TENANT, "larger than"):
            try:
                answer = service.http.post(PATH, content=chunks(), headers=headers)
            except httpx.RemoteProtocolError:
                # The line was cut under a body that went on; the answer may be lost with it, the audit is not.
                return
            assert_outcome(answer, 413, "larger than")

    def test_a_body_that_may_be_is_taken(self, service: Service) -> None:
        body = orjson.dumps(service.request())
        assert service.post(body + b" " * (LIMIT - len(body))).status_code == 200

    def test_whoever_is_not_let_in_sends_no_body(self, service: Service) -> None:
        """The 401 comes before anything of the body was read."""
        with connected(service) as line:
            line.sendall(head("x", f"Content-Length: {LIMIT}"))
            assert line.recv(65536).startswith(b"HTTP/1.1 401 ")

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "identity, gzip"])
    @pytest.mark.parametrize("path", [PATH, FEEDBACK])
    def test_a_compressed_body_is_415(self, coding: str, path: str, service: Service) -> None:
        """RFC 9110 §15.5.16: and which codings would do."""
        bomb = gzip.compress(b" " * LIMIT) if "gzip" in coding.lower() else zlib.compress(b" " * LIMIT)
        headers = [
            ("Authorization", f"Bearer {service.token(aud=PUBLIC + path)}"),
            ("Content-Encoding", coding),
            LAST,
        ]
        with service.audited(TENANT, "must not be compressed"):
            answer = service.post(bomb, path=path, headers=headers)
        assert_outcome(answer, 415, "must not be compressed")
        assert answer.headers["Accept-Encoding"] == "identity"


class TestLength:
    """RFC 9112 §6: a body that is not as long as it says, or says it in two ways."""

    def test_a_body_that_ends_too_soon_is_400(self, service: Service) -> None:
        with service.audited(TENANT, "did not come whole"), connected(service) as line:
            line.sendall(head(service.token(), "Content-Length: 1000") + b'{"hook"')
            line.shutdown(socket.SHUT_WR)
            assert line.recv(65536).startswith(b"HTTP/1.1 400 ")

    def test_chunks_that_end_too_soon_are_400(self, service: Service) -> None:
        with service.audited(TENANT, "did not come whole|not JSON"), connected(service) as line:
            line.sendall(head(service.token(), "Transfer-Encoding: chunked") + b"ff\r\n{")
            line.shutdown(socket.SHUT_WR)
            assert line.recv(65536).startswith(b"HTTP/1.1 400 ")

    def test_what_follows_a_body_is_no_part_of_it(self, service: Service) -> None:
        """Nor is it a request that our caller's JWT speaks for."""
        body, smuggled = orjson.dumps(service.request()), head("", "Content-Length: 2") + b"{}"
        with connected(service) as line:
            line.sendall(head(service.token(), f"Content-Length: {len(body)}") + body + smuggled)
            assert statuses(line) == [200, 401]

    @pytest.mark.parametrize(
        "framing",
        [
            ("Content-Length: 4", "Transfer-Encoding: chunked"),
            ("Content-Length: 4", "Content-Length: 40"),
            ("Content-Length: -1",),
            ("Content-Length: +4",),
            ("Content-Length: 4, 40",),
            ("Content-Length: 0x4",),
            ("Transfer-Encoding: xchunked",),
            ("Transfer-Encoding: chunked, identity",),
        ],
        ids=" and ".join,
    )
    def test_a_length_that_can_be_read_in_two_ways_ends_the_connection(
        self, framing: tuple[str, ...], service: Service
    ) -> None:
        with connected(service) as line:
            line.sendall(head(service.token(), *framing) + b"{}\r\n" + head("", "Content-Length: 0"))
            (status,) = statuses(line)
        assert 400 <= status <= 501

    @pytest.mark.parametrize(
        "chunks",
        [
            b"-1\r\n{}",
            b"0x2\r\n{}",
            b"2 \r\n{}",
            b"2;\x00\r\n{}",
            b"2\r\n{}}}",
            b"2\r\n{}\r\n0\r\nAuthorization: x",
        ],
        ids=repr,
    )
    def test_chunks_that_are_none_are_400_and_end_the_connection(self, chunks: bytes, service: Service) -> None:
        """RFC 9112 §7.1: where the next request begins nobody knows."""
        with service.audited(TENANT, "did not come whole"), connected(service) as line:
            line.sendall(head(service.token(), "Transfer-Encoding: chunked") + chunks + b"\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 400 ")
            line.sendall(head("", "Content-Length: 0"))
            assert statuses(line) == []

    @pytest.mark.parametrize("name", ["Authorization", "X-Padding"])
    def test_headers_without_end_are_refused(self, name: str, service: Service) -> None:
        with connected(service) as line:
            line.sendall(head(service.token(), f"{name}: {'x' * 100_000}"))
            assert re.match(rb"HTTP/1.1 4\d\d ", line.recv(65536))


class TestKeysThatStandTwice:
    """RFC 8259 §4 leaves open what they mean. The last one counts, for every check and for every use."""

    def test_the_last_is_checked(self, service: Service, trap: Trap) -> None:
        with service.audited(TENANT, "fhirServer is not registered"):
            answer = service.post(twice(service.order(), "fhirServer", service.fhir, f"{trap.base_url}/fhir"))
        assert_outcome(answer, 403, "fhirServer")

    def test_and_the_last_is_used(self, service: Service, trap: Trap, ehr: Ehr) -> None:
        body = twice(service.order(prefetch={}), "fhirServer", f"{trap.base_url}/fhir", service.fhir)
        with service.audited(TENANT, "the patient cannot be had"):
            assert_outcome(service.post(body), 412, "the patient cannot be had")
        assert ehr.asked


IDS = [
    *("", ".", "..", "../Patient/p2", "p1/../p2", "p1/_history/1", "p1?_include=*", "p1#", "p1%2f..", "%2e%2e"),
    *(
        "p1\0",
        "p1\n",
        "p1\r\nX: y",
        "p1 ",
        "p1,p2",
        "p1|p2",
        "p1&patient=p2",
        "p1;p2",
        "p1\\p2",
        "p1@evil",
        "\uff50\uff11",
    ),
    *("x" * 65, "' OR 1=1 --", "$(id)", "{{7*7}}"),
]
ODD = [None, 1, True, ["p1"], {"id": "p1"}]


@pytest.mark.parametrize("id", [*IDS, *ODD], ids=repr)
def test_a_patient_id_that_is_none_is_400(id: Any, service: Service) -> None:
    context = service.order()["context"] | {"patientId": id}
    with service.audited(TENANT, r"context\.patientId"):
        assert_outcome(service.post(service.order(context=context)), 400, "patientId")


@pytest.mark.parametrize("id", IDS, ids=repr)
@pytest.mark.parametrize("name", ["encounterId", "userId"])
def test_so_it_is_of_encounter_and_user(name: str, id: str, service: Service) -> None:
    value = f"Practitioner/{id}" if name == "userId" else id
    context = service.order()["context"] | {name: value}
    with service.audited(TENANT, rf"context\.{name}"):
        assert_outcome(service.post(service.order(context=context)), 400, name)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another hook": ({"hook": "patient-view"}, "hook"),
    "a hook with NUL": ({"hook": "order-sign\0"}, "hook"),
    "no UUID": ({"hookInstance": "../1"}, "hookInstance"),
    "a number for a UUID": ({"hookInstance": 2**63}, "hookInstance"),
    "a context that is a list": ({"context": []}, "context"),
    "prefetch that is a list": ({"prefetch": []}, "prefetch"),
    "a FHIR server that is a list": ({"fhirServer": ["http://evil.example"]}, "fhirServer"),
    "a token for no server": ({"fhirServer": None}, "needs fhirServer"),
    "a token that is an object": ({"fhirAuthorization": {"access_token": {}}}, "access_token"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_request_of_another_shape_is_400(name: str, service: Service) -> None:
    changes, reason = CHANGES[name]
    with service.audited(TENANT, reason):
        assert_outcome(service.post(service.order(**changes)), 400, reason)


class TestFeedback:
    def entry(self, **changes: Any) -> dict[str, Any]:
        return {
            "card": str(uuid.uuid4()),
            "outcome": "overridden",
            "outcomeTimestamp": "2026-11-22T09:30:10Z",
        } | changes

    def test_of_a_card_that_is_nobodys_is_404(self, service: Service) -> None:
        with service.audited(TENANT, "no such card"):
            assert_outcome(service.post({"feedback": [self.entry()]}, path=FEEDBACK), 404, "no such card")

    @pytest.mark.parametrize(
        "changes",
        [{"card": "' OR 1=1"}, {"card": 1}, {"outcome": "ignored"}, {"outcomeTimestamp": "9999-99-99T99:99:99Z"}],
        ids=str,
    )
    def test_of_another_shape_is_400(self, changes: dict[str, Any], service: Service) -> None:
        with service.audited(TENANT, r"feedback\[0\]"):
            answer = service.post({"feedback": [self.entry(**changes)]}, path=FEEDBACK)
        assert_outcome(answer, 400, r"feedback\[0\]")

    def test_without_end_is_400(self, service: Service) -> None:
        with service.audited(TENANT, "at most"):
            assert_outcome(service.post({"feedback": [self.entry()] * 1001}, path=FEEDBACK), 400, "at most")


@pytest.mark.parametrize(
    "path", ["/cds-services/%2e%2e/imaging-prescreen", "/cds-services//imaging-prescreen", f"{PATH}/"]
)
def test_no_other_way_to_write_a_path_leads_in(path: str, service: Service) -> None:
    answer = service.http.build_request("POST", f"{service.base_url}{path}")
    assert service.http.send(answer).status_code == 404


def test_no_header_says_that_the_path_is_another(service: Service) -> None:
    """Behind a proxy that lets some paths through it would lead past it."""
    answer = service.http.get("/cds-services/openapi.json", headers={"SCRIPT_NAME": "/cds-services"})
    assert answer.status_code != 200


def twice(body: dict[str, Any], name: str, first: Any, last: Any) -> bytes:
    """``body`` as JSON with a key that stands twice."""
    others = orjson.dumps({key: value for key, value in body.items() if key != name})
    return b"{%s:%s,%s,%s:%s}" % (
        *map(orjson.dumps, (name, first)),
        others[1:-1],
        *map(orjson.dumps, (name, last)),
    )


def connected(service: Service) -> socket.socket:
    host, port = service.base_url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def head(token: str, *headers: str) -> bytes:
    """The head of a POST."""
    authorization = [f"Authorization: Bearer {token}"] if token else []
    lines = [f"POST {PATH} HTTP/1.1", "Host: cds.example", *authorization, *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def statuses(line: socket.socket) -> list[int]:
    """The status of every answer until the connection ends or falls silent."""
    line.settimeout(3)
    received, ends = b"", time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            more = line.recv(65536)
        except TimeoutError:
            break
        if not more:
            break
        received += more
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]
