"""The DICOMweb origin server (PS3.18 chapter 10): QIDO-RS, WADO-RS, STOW-RS."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from pydicom import dcmread
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

from cds.errors import ImagingError
from cds.sandbox.app import create_app
from cds.sandbox.dicomweb.negotiation import parts
from cds.sandbox.parts import Sandbox
from tests.sandbox.conftest import BASE, Bearer
from tests.sandbox.dicom import DX, J2K, UNCOMPRESSED, instance, ramp

ROOT = f"{BASE}/dicom-web"
STUDY = "/dicom-web/studies/1.2.3"
FIRST = f"{STUDY}/series/1.2.3.1/instances/1.2.3.1.1"
MULTIPART_DICOM = 'multipart/related; type="application/dicom"'

Get = Callable[..., TestResponse]


@pytest.fixture
def pacs(bearer: Bearer) -> Callable[..., dict[str, str]]:
    """Make an Authorization header for the PACS."""

    def make(scopes: str = "system/ImagingStudy.crs", **claims: Any) -> dict[str, str]:
        return bearer(scopes, **{"audience": ROOT, **claims})

    return make


@pytest.fixture
def get(client: FlaskClient, pacs: Bearer) -> Get:
    def get(url: str, accept: str = "*/*", **claims: Any) -> TestResponse:
        return client.get(url, headers=pacs(**claims) | {"Accept": accept})

    return get


@pytest.fixture
def stored(sandbox: Sandbox) -> list[bytes]:
    """A study of two series with three instances, and one of another patient, compressed."""
    files = [
        instance(),
        instance(uid="1.2.3.1.2"),
        instance(series="1.2.3.2", uid="1.2.3.2.1", Modality="CT"),
        instance(
            "1.2.9",
            "1.2.9.1",
            "1.2.9.1.1",
            compressed=True,
            pixels=ramp(64, 80),
            PatientID="MRN9",
            StudyDate="20240601",
        ),
    ]
    sandbox.pacs.store(files)
    return files


def contents(answer: TestResponse) -> list[tuple[str, bytes]]:
    _, options = parse_options_header(answer.content_type)
    return parts(answer.data, options["boundary"])


def values(answer: TestResponse, tag: str) -> list[Any]:
    assert answer.json is not None
    return [item[tag]["Value"][0] for item in answer.json]


@pytest.mark.usefixtures("stored")
class TestSearch:
    def test_studies(self, get: Get) -> None:
        answer = get("/dicom-web/studies", "application/dicom+json")
        assert answer.mimetype == "application/dicom+json"
        assert values(answer, "0020000D") == ["1.2.3", "1.2.9"]
        assert answer.json is not None
        study = answer.json[0]
        assert study["00081190"] == {"vr": "UR", "Value": [f"{ROOT}/studies/1.2.3"]}
        assert study["00080061"]["Value"] == ["CT", "DX"]
        assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [3])
        assert study["00100010"]["Value"][0]["Alphabetic"] == "Müller^Jürgen"
        assert "7FE00010" not in study

    @pytest.mark.parametrize(
        ("query", "studies"),
        [
            ("PatientID=MRN9", ["1.2.9"]),
            ("00100020=MRN1", ["1.2.3"]),
            ("PatientID=MRN*", ["1.2.3", "1.2.9"]),
            ("PatientName=m%C3%BCller*", ["1.2.3", "1.2.9"]),
            ("StudyInstanceUID=1.2.9", ["1.2.9"]),
            ("StudyInstanceUID=1.2.9,1.2.3", ["1.2.3", "1.2.9"]),
            ("StudyDate=20240501", ["1.2.3"]),
            ("StudyDate=20240502-", ["1.2.9"]),
            ("StudyDate=20240101-20240531", ["1.2.3"]),
            ("ModalitiesInStudy=CT", ["1.2.3"]),
            ("Modality=DX&PatientID=MRN9", ["1.2.9"]),
            ("Modality=MR", []),
            ("PatientID=", ["1.2.3", "1.2.9"]),
            ("limit=1", ["1.2.3"]),
            ("limit=1&offset=1", ["1.2.9"]),
        ],
    )
    def test_matching(self, get: Get, query: str, studies: list[str]) -> None:
        assert values(get(f"/dicom-web/studies?{query}"), "0020000D") == studies

    def test_series(self, get: Get) -> None:
        assert values(get(f"{STUDY}/series"), "0020000E") == ["1.2.3.1", "1.2.3.2"]
        assert values(get("/dicom-web/series?Modality=CT"), "0020000E") == ["1.2.3.2"]
        assert values(get(f"{STUDY}/series"), "00201209") == [2, 1]

    def test_instances(self, get: Get) -> None:
        assert len(values(get(f"{STUDY}/instances"), "00080018")) == 3
        answer = get(f"{STUDY}/series/1.2.3.2/instances")
        assert values(answer, "00080018") == ["1.2.3.2.1"]
        assert values(answer, "00081190") == [f"{ROOT}/studies/1.2.3/series/1.2.3.2/instances/1.2.3.2.1"]
        assert values(get("/dicom-web/instances?PatientID=MRN9"), "00083002") == [J2K]

    def test_includefield(self, get: Get) -> None:
        for query in ("includefield=PhotometricInterpretation", "includefield=00280004", "includefield=all"):
            assert values(get(f"{STUDY}/instances?{query}"), "00280004") == ["MONOCHROME2"] * 3

    def test_what_is_not_understood_is_said_to_be_ignored(self, get: Get) -> None:
        answer = get("/dicom-web/studies?ShoeSize=42")
        assert len(values(answer, "0020000D")) == 2
        assert answer.headers["Warning"].startswith("299 ")

    def test_wrong_numbers(self, get: Get) -> None:
        for query in ("limit=-1", "limit=x", "offset=1.5", "limit=99999999999"):
            assert get(f"/dicom-web/studies?{query}").status_code == 400


class TestRetrieve:
    def test_an_instance_is_what_was_stored(self, get: Get, stored: list[bytes]) -> None:
        for accept in (MULTIPART_DICOM, "*/*", f"{MULTIPART_DICOM}; transfer-syntax=*"):
            assert contents(get(FIRST, accept)) == [
                (f"application/dicom; transfer-syntax={UNCOMPRESSED}", stored[0])
            ]
        assert get(FIRST, "application/dicom").data == stored[0]

    def test_a_study_and_a_series(self, get: Get, stored: list[bytes]) -> None:
        assert [data for _, data in contents(get(STUDY, MULTIPART_DICOM))] == stored[:3]
        assert [data for _, data in contents(get(f"{STUDY}/series/1.2.3.1"))] == stored[:2]

    def test_nothing_is_transcoded(self, get: Get, stored: list[bytes]) -> None:
        other = "/dicom-web/studies/1.2.9"
        assert get(other, f"{MULTIPART_DICOM}; transfer-syntax={UNCOMPRESSED}").status_code == 406
        assert [data for _, data in contents(get(other, f"{MULTIPART_DICOM}; transfer-syntax={J2K}"))] == stored[
            3:
        ]

    @pytest.mark.usefixtures("stored")
    def test_what_cannot_be_had(self, get: Get) -> None:
        assert get(FIRST, "text/html").status_code == 406
        assert get(STUDY, "application/dicom").status_code == 406
        for url in (
            "1.2.4",
            "1.2.4/metadata",
            "1.2.3/series/1.2.9.1",
            "../../keys.json",
            "%2e%2e",
            "1.2.3/nonsense",
        ):
            assert get(f"/dicom-web/studies/{url}").status_code == 404

    @pytest.mark.usefixtures("stored")
    def test_metadata_has_no_pixels(self, get: Get) -> None:
        answer = get(f"{FIRST}/metadata", "application/dicom+json")
        assert values(answer, "00080018") == ["1.2.3.1.1"]
        assert answer.json is not None
        assert "7FE00010" not in answer.json[0]
        assert len(values(get(f"{STUDY}/metadata"), "00080018")) == 3
        assert get(f"{STUDY}/metadata", "application/dicom+xml").status_code == 406


class TestFrames:
    def test_uncompressed(self, get: Get, sandbox: Sandbox) -> None:
        pixels = np.stack([ramp(), ramp() + 100, ramp() + 200])
        sandbox.archive.store(instance(pixels=pixels))
        answer = get(f"{FIRST}/frames/1,3", 'multipart/related; type="application/octet-stream"')
        frames = [data for _, data in contents(answer)]
        assert frames == [pixels[0].tobytes(), pixels[2].tobytes()]

    @pytest.mark.usefixtures("stored")
    def test_compressed_as_stored(self, get: Get) -> None:
        url = "/dicom-web/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1/frames/1"
        ((kind, data),) = contents(get(url, 'multipart/related; type="image/jp2"'))
        assert kind == f"image/jp2; transfer-syntax={J2K}"
        assert data.startswith(b"\xff\x4f\xff\x51")
        assert get(url, 'multipart/related; type="application/octet-stream"').status_code == 406

    @pytest.mark.usefixtures("stored")
    @pytest.mark.parametrize(
        ("numbers", "status"), [("0", 400), ("x", 400), ("1,", 400), ("2", 404), ("9999999", 404)]
    )
    def test_frames_that_are_not_there(self, get: Get, numbers: str, status: int) -> None:
        assert get(f"{FIRST}/frames/{numbers}").status_code == status


class TestRendered:
    def picture(self, answer: TestResponse) -> np.ndarray[Any, np.dtype[np.uint8]]:
        assert answer.status_code == 200, answer.data
        return np.asarray(Image.open(BytesIO(answer.data)))

    @pytest.mark.usefixtures("stored")
    def test_a_picture(self, get: Get) -> None:
        picture = self.picture(get(f"{FIRST}/rendered", "image/png"))
        assert (picture.shape, picture.min(), picture.max()) == ((8, 10), 0, 255)
        assert (np.diff(picture.ravel().astype(int)) >= 0).all()
        assert get(f"{FIRST}/rendered").mimetype == "image/jpeg"
        assert get(f"{FIRST}/rendered", "image/gif").status_code == 406

    @pytest.mark.usefixtures("stored")
    def test_j2k(self, get: Get) -> None:
        url = "/dicom-web/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1/frames/1/rendered"
        assert self.picture(get(url, "image/png")).max() == 255

    def test_monochrome1_is_turned_round(self, get: Get, sandbox: Sandbox) -> None:
        sandbox.archive.store(instance(PhotometricInterpretation="MONOCHROME1"))
        picture = self.picture(get(f"{FIRST}/rendered", "image/png"))
        assert (picture[0, 0], picture[-1, -1]) == (255, 0)

    def test_the_window_of_the_instance_and_of_the_request(self, get: Get, sandbox: Sandbox) -> None:
        sandbox.archive.store(instance(WindowCenter=10, WindowWidth=2))
        own = self.picture(get(f"{FIRST}/rendered", "image/png")).ravel()
        asked = self.picture(get(f"{FIRST}/rendered?window=40,2,linear", "image/png")).ravel()
        assert (own[8], own[11], asked[11], asked[41]) == (0, 255, 0, 255)

    def test_colour(self, get: Get, sandbox: Sandbox) -> None:
        pixels = np.zeros((4, 4, 3), np.uint8)
        pixels[..., 1] = 200
        colour = instance(pixels=pixels[..., 0])
        dataset = dcmread(BytesIO(colour))
        dataset.set_pixel_data(pixels, "RGB", 8, generate_instance_uid=False)
        file = BytesIO()
        dataset.save_as(file)
        sandbox.archive.store(file.getvalue())
        assert self.picture(get(f"{FIRST}/rendered", "image/png"))[0, 0].tolist() == [0, 200, 0]

    @pytest.mark.usefixtures("stored")
    def test_the_viewport(self, get: Get) -> None:
        assert self.picture(get(f"{FIRST}/rendered?viewport=5,5", "image/png")).shape == (4, 5)

    def test_an_image_of_enormous_size_is_not_tried(self, get: Get, sandbox: Sandbox) -> None:
        sandbox.archive.store(instance(Rows=65535, Columns=65535))
        answer = get(f"{FIRST}/rendered")
        assert (answer.status_code, b"too large" in answer.data) == (406, True)

    def test_an_image_without_dimensions(self, get: Get, sandbox: Sandbox) -> None:
        dataset = dcmread(BytesIO(instance()))
        del dataset.Rows
        file = BytesIO()
        dataset.save_as(file)
        sandbox.archive.store(file.getvalue())
        assert (get(f"{FIRST}/rendered").status_code, get(f"{FIRST}/frames/1").status_code) == (406, 406)

    @pytest.mark.usefixtures("stored")
    @pytest.mark.parametrize("query", ["window=1", "window=a,b,linear", "window=1,0,linear", "viewport=nan,1"])
    def test_what_is_no_window(self, get: Get, query: str) -> None:
        assert get(f"{FIRST}/rendered?{query}").status_code == 400


class TestStore:
    @pytest.fixture
    def post(self, client: FlaskClient, pacs: Bearer) -> Callable[..., TestResponse]:
        def post(
            *files: bytes, url: str = "/dicom-web/studies", headers: dict[str, str] | None = None
        ) -> TestResponse:
            body = b"".join(b"--xyz\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files)
            return client.post(
                url,
                data=body + b"--xyz--\r\n",
                headers=headers or pacs(),
                content_type=f"{MULTIPART_DICOM}; boundary=xyz",
            )

        return post

    def test_all(self, post: Callable[..., TestResponse], get: Get) -> None:
        file = instance(StudyDescription="\r\n--xy")
        answer = post(file)
        assert answer.status_code == 200
        assert answer.json == {
            "00081190": {"vr": "UR", "Value": [f"{ROOT}/studies/1.2.3"]},
            "00081199": {
                "vr": "SQ",
                "Value": [
                    {
                        "00081150": {"vr": "UI", "Value": [DX]},
                        "00081155": {"vr": "UI", "Value": ["1.2.3.1.1"]},
                        "00081190": {"vr": "UR", "Value": [f"{BASE}{FIRST}"]},
                    }
                ],
            },
        }
        assert get(FIRST, "application/dicom").data == file

    def test_again_takes_the_place_of_the_first(self, post: Callable[..., TestResponse], get: Get) -> None:
        post(instance())
        post(instance(PatientID="corrected"))
        assert values(get("/dicom-web/instances"), "00100020") == ["corrected"]

    def test_some(self, post: Callable[..., TestResponse]) -> None:
        answer = post(instance(), instance("1.2.9"), b"not DICOM", url=STUDY)
        assert answer.status_code == 202
        assert answer.json is not None
        assert len(answer.json["00081199"]["Value"]) == 1
        (failed,) = answer.json["00081198"]["Value"]
        assert failed["00081155"]["Value"] == ["1.2.3.1.1"]
        assert failed["00081197"]["Value"] == [0xA900]
        assert answer.json["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]

    def test_none(self, post: Callable[..., TestResponse]) -> None:
        assert post(b"not DICOM").status_code == 409

    def test_images_may_be_larger_than_resources(
        self, post: Callable[..., TestResponse], client: FlaskClient
    ) -> None:
        client.application.config["MAX_CONTENT_LENGTH"] = 100
        assert post(instance()).status_code == 200

    @pytest.mark.parametrize("body", [b"", b"--xyz", b"--xyz\r\n\r\nabc", b"--xyz\r\nabc\r\n--xyz--", b"--abc--"])
    def test_a_broken_message(self, client: FlaskClient, pacs: Bearer, body: bytes) -> None:
        kind = f"{MULTIPART_DICOM}; boundary=xyz"
        assert client.post("/dicom-web/studies", data=body, headers=pacs(), content_type=kind).status_code == 400

    def test_another_media_type(self, client: FlaskClient, pacs: Bearer) -> None:
        for kind in ("application/dicom", 'multipart/related; type="application/dicom+json"; boundary=x'):
            assert (
                client.post("/dicom-web/studies", data=b"x", headers=pacs(), content_type=kind).status_code == 415
            )

    def test_only_with_a_scope_to_create(self, post: Callable[..., TestResponse], pacs: Bearer) -> None:
        for headers in (pacs("system/ImagingStudy.rs"), pacs("patient/ImagingStudy.cruds", patient="p1")):
            assert post(instance(), headers=headers).status_code == 403


@pytest.mark.usefixtures("stored")
class TestAccess:
    def test_a_token_for_the_pacs_is_needed(self, client: FlaskClient, pacs: Bearer, bearer: Bearer) -> None:
        for headers in ({}, pacs(lifetime_s=-1), bearer("system/*.cruds")):
            answer = client.get(STUDY, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_out_of_scope(self, get: Get) -> None:
        assert get(STUDY, scopes="system/Patient.rs").status_code == 403
        assert get(STUDY, scopes="user/ImagingStudy.read").status_code == 200

    def test_a_patient_scope_shows_the_patients_studies_only(self, get: Get, sandbox: Sandbox) -> None:
        sandbox.records.create(
            {
                "resourceType": "ImagingStudy",
                "subject": {"reference": "Patient/p1"},
                "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
            }
        )
        mine = {"scopes": "patient/ImagingStudy.rs", "patient": "p1"}
        assert get(STUDY, **mine).status_code == 200
        assert get("/dicom-web/studies/1.2.9", **mine).status_code == 403
        assert values(get("/dicom-web/studies", **mine), "0020000D") == ["1.2.3"]

    def test_a_fault_is_of_one_study(self, get: Get, sandbox: Sandbox) -> None:
        sandbox.archive.fault("1.2.3", 503)
        for url in (STUDY, FIRST, f"{STUDY}/series", f"{FIRST}/frames/1", "/dicom-web/studies?PatientID=MRN1"):
            answer = get(url)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert get("/dicom-web/studies/1.2.9").status_code == 200
        sandbox.archive.fault("1.2.3", None)
        assert get(STUDY).status_code == 200


class TestArchive:
    def test_what_is_stored_is_there_after_a_restart(self, sandbox: Sandbox, stored: list[bytes]) -> None:
        sandbox.archive.fault("1.2.3", 503)
        again = create_app(sandbox.home, BASE).extensions["sandbox"].archive
        assert [again.path(one).read_bytes() for one in again.find()] == stored
        assert again.fault_of("1.2.3") == 503

    @pytest.mark.parametrize(
        "file",
        [
            b"",
            b"x" * 200,
            instance()[:200],
            instance(study=""),
            instance(study="7.7.7.7").replace(b"7.7.7.7", b"../../x"),
        ],
    )
    def test_what_is_no_instance_is_refused(self, sandbox: Sandbox, file: bytes) -> None:
        with pytest.raises(ImagingError):
            sandbox.archive.store(file)
        assert sandbox.archive.find() == []

    def test_real_files_come_back_as_they_went_in(self, sandbox: Sandbox, get: Get, data: Path) -> None:
        kept = 0
        for path in sorted((data / "dicom" / "pydicom").iterdir()):
            file = path.read_bytes()
            try:
                one = sandbox.archive.store(file)
            except ImagingError:
                continue
            kept += 1
            place = f"/dicom-web/studies/{one.study}/series/{one.series}/instances/{one.instance}"
            assert get(place, "application/dicom").data == file
            assert get(f"{place}/metadata").status_code == 200
            assert get(f"{place}/rendered", "image/png").status_code in (200, 404, 406)
            assert get(f"{place}/frames/1").status_code in (200, 404)
        assert kept > 15
