"""Storing in a PACS (PS3.18 10.5): what goes there, and what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from cds.errors import BadAnswer, Refused, Unreachable
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.multipart import joined
from cds.sandbox.dicomweb.negotiation import parts

from .test_dicomweb import answering, pacs

ROOT = "https://pacs.example/dicom-web"
DUPLICATE, OUT_OF_RESOURCES = 0x0111, 0xA700


def failing(*reasons: int) -> dict[str, Any]:
    """The Store Instances Response that names these failures, and one instance at an address of its own."""
    failed = [{"00081197": {"vr": "US", "Value": [reason]}} for reason in reasons]
    stored = [{"00081190": {"vr": "UR", "Value": ["https://elsewhere.example/steal"]}}]
    return {"00081198": {"vr": "SQ", "Value": failed}, "00081199": {"vr": "SQ", "Value": stored}}


def store(client: DICOMweb, instances: Sequence[bytes] = (b"DICM",)) -> None:
    client.store("1.2", instances)


def test_instances_go_into_their_study_as_parts_of_one_request() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=failing())

    store(pacs(handler, auth=httpx.BasicAuth("us", "secret")), [b"first", b"\r\n--second"])
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", f"{ROOT}/studies/1.2")
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.headers["Accept"] == "application/dicom+json"
    boundary = request.headers["Content-Type"].partition("boundary=")[2]
    sent = parts(request.content, boundary)
    assert sent == [("application/dicom", b"first"), ("application/dicom", b"\r\n--second")]


def test_a_boundary_cannot_be_foreseen() -> None:
    assert joined([b"x"], "application/dicom")[0] != joined([b"x"], "application/dicom")[0]


def test_an_address_in_the_answer_is_never_called() -> None:
    called: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        called.append(request.url.host)
        headers = {"Location": "https://elsewhere.example/", "Content-Location": "https://elsewhere.example/"}
        return httpx.Response(200, json=failing(), headers=headers)

    store(pacs(handler))
    assert called == ["pacs.example"]


@pytest.mark.parametrize(
    "response",
    [
        {"status": 200, "json": {}},
        {"status": 200, "content": b""},
        {"status": 200, "content": b"<NativeDicomModel/>"},
        {"status": 202, "json": failing()},
        {"status": 409, "json": failing(DUPLICATE, DUPLICATE)},
        {"status": 202, "json": failing(DUPLICATE)},
    ],
)
def test_stored_now_or_before(response: dict[str, Any]) -> None:
    store(pacs(answering(**response)))


@pytest.mark.parametrize(
    "response",
    [
        {"status": 409, "json": failing(OUT_OF_RESOURCES)},
        {"status": 202, "json": failing(DUPLICATE, OUT_OF_RESOURCES)},
        {"status": 200, "json": failing(OUT_OF_RESOURCES)},
        {"status": 409, "json": {}},
        {"status": 409, "content": b"not JSON"},
        {"status": 202, "json": [1, 2]},
        {"status": 409, "json": {"00081198": {"Value": [7]}}},
        {"status": 409, "json": {"00081198": {"Value": [{"00081197": {"Value": ["x"]}}]}}},
        {"status": 307, "headers": {"Location": "https://elsewhere.example/"}},
        {"status": 503},
        {"status": 400},
    ],
)
def test_not_stored(response: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        store(pacs(answering(**response)))


def test_a_failure_is_told_by_its_reason() -> None:
    with pytest.raises(BadAnswer, match="0xa700"):
        store(pacs(answering(status=409, json=failing(OUT_OF_RESOURCES))))


def test_no_right_to_store() -> None:
    with pytest.raises(Refused):
        store(pacs(answering(status=403)))


def test_a_pacs_that_is_away() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(Unreachable):
        store(pacs(away))
