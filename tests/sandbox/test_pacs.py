"""Storing images: in our own archive, or by STOW-RS in a real PACS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cds.errors import BadAnswer, ConfigurationError, ImagingError, Refused, Unreachable
from cds.sandbox.app import create_app
from cds.sandbox.archive import DicomArchive
from cds.sandbox.dicomweb.negotiation import parts
from cds.sandbox.pacs import OwnPacs, StowPacs
from tests.sandbox.conftest import BASE
from tests.sandbox.dicom import instance

ROOT = "https://pacs.example/dicom-web"

Handler = Callable[[httpx.Request], httpx.Response]


def stow(handler: Handler, url: str = ROOT) -> StowPacs:
    return StowPacs(url, transport=httpx.MockTransport(handler))


def test_our_own_archive(tmp_path: Path) -> None:
    archive = DicomArchive(tmp_path)
    OwnPacs(archive).store([instance()])
    assert [one.instance for one in archive.find()] == ["1.2.3.1.1"]
    with pytest.raises(ImagingError):
        OwnPacs(archive).store([b"not DICOM"])


def test_each_instance_is_sent_whole_and_with_the_password_apart() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    pacs = stow(handler, "https://me:p%40ss@pacs.example/dicom-web/")
    pacs.store([instance(), instance(uid="1.2.3.1.2")])
    assert pacs.root == ROOT
    assert [str(request.url) for request in seen] == [f"{ROOT}/studies"] * 2
    assert seen[0].headers["Authorization"] == "Basic bWU6cEBzcw=="
    boundary = seen[0].headers["Content-Type"].partition("boundary=")[2]
    assert parts(seen[0].content, boundary) == [("application/dicom", instance())]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Refused), (403, Refused), (202, BadAnswer), (302, BadAnswer), (409, BadAnswer), (500, BadAnswer)],
)
def test_what_is_not_kept_is_an_error(status: int, error: type[Exception]) -> None:
    pacs = stow(lambda request: httpx.Response(status), "https://me:secret@pacs.example/")
    with pytest.raises(error) as raised:
        pacs.store([instance()])
    assert "secret" not in str(raised.value)


def test_a_pacs_that_does_not_answer() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("too late")

    with pytest.raises(Unreachable):
        stow(handler).store([instance()])


@pytest.mark.parametrize("url", ["ftp://pacs.example", "pacs.example", "http://", "http://[", "http://x:99999999"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CDS_SANDBOX_PACS_URL"):
        StowPacs(url)


def test_with_a_real_pacs_the_sandbox_serves_no_images(tmp_path: Path) -> None:
    app = create_app(tmp_path, BASE, pacs_url="https://me:secret@pacs.example/dicom-web")
    assert app.extensions["sandbox"].pacs_root == ROOT
    assert app.test_client().get("/dicom-web/studies").status_code == 404


@pytest.mark.orthanc
def test_orthanc_keeps_what_is_stored(orthanc: str) -> None:
    pacs = StowPacs(orthanc)
    pacs.store([instance(), instance(uid="1.2.3.1.2")])
    found = httpx.get(f"{pacs.root}/studies/1.2.3/instances", auth=("sandbox", "sesame"))
    assert sorted(one["00080018"]["Value"][0] for one in found.json()) == ["1.2.3.1.1", "1.2.3.1.2"]


@pytest.mark.orthanc
def test_orthanc_refuses_a_wrong_password(orthanc: str) -> None:
    with pytest.raises(Refused):
        StowPacs(orthanc.replace("sesame", "open")).store([instance()])
