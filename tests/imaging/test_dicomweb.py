"""The DICOMweb client against a peer that answers well, badly, slowly, endlessly or not at all."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cds.errors import BadAnswer, ImagingError, Missing, Refused, Unreachable, UnsupportedSyntax, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.imaging.retrieval import retrieve

from .conftest import INSTANCE, SERIES, STUDY, MakeFile

Handler = Callable[[httpx.Request], httpx.Response]
PART = b"--b\r\nContent-Type: application/dicom\r\n\r\nDICOM\r\n--b--\r\n"
RELATED = 'multipart/related; type="application/dicom"; boundary=b'


def pacs(handler: Handler, *, max_bytes: int = 10_000_000, auth: httpx.Auth | None = None) -> DICOMweb:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return DICOMweb(http, "https://pacs.example/dicom-web/", auth, max_bytes=max_bytes, timeout=1.0)


def answering(status: int = 200, **response: Any) -> Handler:
    return lambda request: httpx.Response(status, **response)


def part(content: bytes = b"DICOM", content_type: str = RELATED, body: bytes | None = None) -> Handler:
    whole = (
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n" if body is None else body
    )
    return answering(content=whole, headers={"Content-Type": content_type})


# What is asked


def test_the_requests_are_those_of_ps3_18() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    client = pacs(handler, auth=httpx.BasicAuth("us", "secret"))
    client.series("1.2")
    client.instances("1.2")
    client.instances("1.2", "1.2.3")
    assert [request.url.path for request in seen] == [
        "/dicom-web/studies/1.2/series",
        "/dicom-web/studies/1.2/instances",
        "/dicom-web/studies/1.2/series/1.2.3/instances",
    ]
    assert {request.headers["Accept"] for request in seen} == {"application/dicom+json"}
    assert "ViewPosition" in seen[0].url.params.get_list("includefield")
    assert all(request.headers["Authorization"].startswith("Basic ") for request in seen)


def test_an_instance_is_asked_for_as_it_is_stored() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}"
        assert request.headers["Accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'
        return httpx.Response(200, content=PART, headers={"Content-Type": RELATED})

    assert pacs(handler).instance(STUDY, SERIES, INSTANCE) == b"DICOM"


@pytest.mark.parametrize(
    "uid", ["", "1.2/../3", "1..2", "1.2?x=1", "1.02", "1.2\n", "abc", "1." + "2" * 70, "1.2 "]
)
def test_what_is_no_uid_never_enters_an_address(uid: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError("a request was sent")

    with pytest.raises(BadAnswer):
        pacs(handler).series(uid)
    with pytest.raises(BadAnswer):
        pacs(handler).instances("1.2", uid)
    with pytest.raises(BadAnswer):
        pacs(handler).instance("1.2", "1.3", uid)


# What comes back


def test_matches_are_the_dicom_json_of_the_origin() -> None:
    match = {"0020000E": {"vr": "UI", "Value": ["1.2.3"]}}
    assert pacs(answering(json=[match])).series("1.2") == [match]
    assert pacs(answering(204)).series("1.2") == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Refused),
        (403, Refused),
        (404, Missing),
        (410, Missing),
        (302, BadAnswer),
        (500, BadAnswer),
        (503, BadAnswer),
    ],
)
def test_a_status_becomes_an_error_of_ours(status: int, error: type[UpstreamError]) -> None:
    client = pacs(answering(status, headers={"Location": "https://elsewhere.example/"}, text="Jane Doe"))
    for call in (lambda: client.series("1.2"), lambda: client.instance("1.2", "1.3", "1.4")):
        with pytest.raises(error) as caught:
            call()
        assert "Jane" not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"Location": "https://evil.example/steal"})

    with pytest.raises(BadAnswer):
        pacs(handler, auth=httpx.BasicAuth("us", "secret")).series("1.2")
    assert asked == ["pacs.example"]


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.PoolTimeout, httpx.ReadError])
def test_no_answer_is_unreachable(failure: type[httpx.TransportError]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise failure("no route to 10.0.0.7")

    with pytest.raises(Unreachable) as caught:
        pacs(handler).series("1.2")
    assert "10.0.0.7" not in str(caught.value)


class TestWhatBreaksOff:
    """An instance is asked for again by itself: of a series nothing that was fetched is fetched twice."""

    @staticmethod
    def at_first(*failures: httpx.TransportError | int) -> tuple[Handler, list[str]]:
        """A PACS that fails so, once each, and then answers."""
        left, asked = list(failures), list[str]()

        def handler(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            match left.pop(0) if left else None:
                case httpx.TransportError() as failure:
                    raise failure
                case int(status):
                    return httpx.Response(status)
            return httpx.Response(200, content=PART, headers={"Content-Type": RELATED})

        return handler, asked

    @pytest.mark.parametrize(
        "failure", [429, 502, 503, 504, httpx.ReadError("reset"), httpx.RemoteProtocolError("cut off")]
    )
    def test_it_is_asked_for_again(self, failure: httpx.TransportError | int) -> None:
        handler, asked = self.at_first(failure, failure)
        assert pacs(handler).instance("1.2", "1.3", "1.4") == b"DICOM"
        assert asked == ["/dicom-web/studies/1.2/series/1.3/instances/1.4"] * 3

    def test_but_not_for_ever(self) -> None:
        handler, asked = self.at_first(*[503] * 9)
        with pytest.raises(BadAnswer, match="503"):
            pacs(handler).instance("1.2", "1.3", "1.4")
        assert len(asked) == 3

    @pytest.mark.parametrize("failure", [401, 404, 500, httpx.ReadTimeout("late"), httpx.ConnectError("refused")])
    def test_what_will_not_be_otherwise_is_not(self, failure: httpx.TransportError | int) -> None:
        handler, asked = self.at_first(failure)
        with pytest.raises(UpstreamError):
            pacs(handler).instance("1.2", "1.3", "1.4")
        assert len(asked) == 1

    def test_nor_is_what_is_stored(self) -> None:
        handler, asked = self.at_first(503)
        with pytest.raises(BadAnswer):
            pacs(handler).store("1.2", [b"DICOM"])
        assert len(asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b'{"a": 1}', b'["a"]', b"[[]]", b"[" * 100_000, b"\xff\xfe", b"<html>"]
)
def test_a_search_answer_of_another_shape_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        pacs(answering(content=body)).instances("1.2")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", PART),
        ("text/html", b"<html>"),
        ("multipart/related", PART),
        ('multipart/related; boundary=""', PART),
        ("multipart/related; boundary=" + "b" * 71, PART),
        ("multipart/related; boundary*=utf-8''b", PART),
        (RELATED, b""),
        (RELATED, b"--b"),
        (RELATED, b"--b\r\n"),
        (RELATED, b"--b\r\nContent-Type: application/dicom\r\n\r\nDICOM"),
        (RELATED, b"--b--\r\n"),
        (RELATED, b"--c\r\n\r\nDICOM\r\n--c--"),
        (RELATED, b"--b\r\nContent-Type: text/html\r\n\r\n<html>\r\n--b--"),
        (RELATED, b"--b\r\n\r\nONE\r\n--b\r\n\r\nTWO\r\n--b--"),
        (RELATED, b"--b\r\n" + b"X: y\r\n" * 10_000 + b"\r\nDICOM\r\n--b--"),
    ],
)
def test_an_instance_of_another_shape_is_a_bad_answer(content_type: str, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        pacs(part(content_type=content_type, body=body)).instance("1.2", "1.3", "1.4")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (RELATED, PART),
        (RELATED, b"preamble\r\n" + PART + b"epilogue"),
        (RELATED, b"--b\r\n\r\nDICOM\r\n--b--"),
        ('Multipart/Related; boundary="b"; type="application/dicom"', PART),
        ("application/dicom", b"DICOM"),
    ],
)
def test_every_lawful_shape_of_an_instance_is_read(content_type: str, body: bytes) -> None:
    assert pacs(part(content_type=content_type, body=body)).instance("1.2", "1.3", "1.4") == b"DICOM"


def test_pixels_may_hold_anything_but_the_boundary() -> None:
    content = bytes(range(256)) * 50 + b"\r\n--\r\n\r\n-b-"
    assert pacs(part(content)).instance("1.2", "1.3", "1.4") == content


def test_an_endless_answer_is_given_up_at_the_limit() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield bytes(65_536)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=endless(), headers={"Content-Type": RELATED})

    with pytest.raises(BadAnswer, match="larger than"):
        pacs(handler, max_bytes=1_000_000).instance("1.2", "1.3", "1.4")
    assert sent < 2_000_000


def test_a_compressed_answer_is_measured_as_it_unfolds() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    headers = {"Content-Type": RELATED, "Content-Encoding": "gzip"}
    with pytest.raises(BadAnswer, match="larger than"):
        pacs(answering(content=bomb, headers=headers), max_bytes=1_000_000).instance("1.2", "1.3", "1.4")


def test_an_announced_length_over_the_limit_is_not_read() -> None:
    handler = answering(content=PART, headers={"Content-Type": RELATED, "Content-Length": "99999999999"})
    with pytest.raises(BadAnswer, match="larger than"):
        pacs(handler).instance("1.2", "1.3", "1.4")


def test_a_broken_encoding_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        pacs(answering(content=b"not gzip", headers={"Content-Encoding": "gzip"})).series("1.2")


# A film


def decode(file: bytes) -> Radiograph:
    return read_radiograph(file, at_least=64)


def test_a_film_is_retrieved(dicom: MakeFile, ramp: Any) -> None:
    film = retrieve(pacs(part(dicom(ramp, stored=12))), STUDY, SERIES, INSTANCE, decode)
    assert (film.study_uid, film.series_uid, film.instance_uid, film.view) == (STUDY, SERIES, INSTANCE, "PA")


def test_the_pacs_converts_what_cannot_be_decoded_here(dicom: MakeFile, ramp: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        as_stored = request.headers["Accept"].endswith("=*")
        return part(_mpeg2(dicom(ramp)) if as_stored else dicom(ramp))(request)

    assert retrieve(pacs(handler), STUDY, SERIES, INSTANCE, decode).rows == 128


def test_where_it_does_not_the_syntax_is_the_reason(dicom: MakeFile, ramp: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.headers["Accept"].endswith("=*"):
            return part(_mpeg2(dicom(ramp)))(request)
        return httpx.Response(406)

    with pytest.raises(UnsupportedSyntax):
        retrieve(pacs(handler), STUDY, SERIES, INSTANCE, decode)


def test_another_image_than_the_one_asked_for_is_not_taken(dicom: MakeFile, ramp: Any) -> None:
    with pytest.raises(ImagingError, match="another image"):
        retrieve(pacs(part(dicom(ramp))), STUDY, SERIES, "1.2.826.1.2.4", decode)


@pytest.mark.parametrize(
    ("stated", "reason"),
    [({"ViewPosition": "LL"}, "lateral"), ({"Modality": "CT"}, "CT"), ({"BodyPartExamined": "KNEE"}, "body part")],
)
def test_the_file_has_the_last_word_on_what_it_shows(
    dicom: MakeFile, ramp: Any, stated: dict[str, str], reason: str
) -> None:
    with pytest.raises(ImagingError, match=reason):
        retrieve(pacs(part(dicom(ramp, **stated))), STUDY, SERIES, INSTANCE, decode)


def _mpeg2(data: bytes) -> bytes:
    """The film in a syntax that is not decoded here."""
    from io import BytesIO

    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.uid import MPEG2MPML

    dataset = dcmread(BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    dataset.PixelData = encapsulate([bytes(60)])
    dataset["PixelData"].is_undefined_length = True
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
