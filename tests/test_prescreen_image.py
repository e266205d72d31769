"""The image of a prescreen: from which PACS it is, and what is said of what was not looked at."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from threading import Event
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from cds.audit.trail import OnBehalf, Trail, party
from cds.charts import Charts
from cds.deadline import Deadline
from cds.engine.quality import QualityGate
from cds.findings import Prescreen
from cds.imaging.film import read_film
from cds.inference.engine import Engine, Models
from cds.pacs import PacsAccess
from cds.registration import Registration
from cds.reporting.record import Record
from cds.settings import Settings
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests.films import FILM, SEEN
from tests.prescreening import prescreening

MODELS = Models.in_use(Settings())
EHR = "https://ehr.example/fhir"
A, B = "https://a.example/dicom-web", "https://b.example/dicom-web"
SECRETS = {A: "SECRET_OF_A", B: "SECRET_OF_B"}
STUDY = {
    "resourceType": "ImagingStudy",
    "id": "s1",
    "status": "available",
    "subject": {"reference": "Patient/p1"},
    "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{SEEN.study_uid if SEEN else ''}"}],
    "modality": [{"code": "DX"}],
}
Answer = Callable[[httpx.Request], httpx.Response]


def without_it(request: httpx.Request) -> httpx.Response:
    return httpx.Response(204)


def with_it(request: httpx.Request, film: bytes = FILM) -> httpx.Response:
    assert SEEN
    if "/instances/" in request.url.path:
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + film + b"\r\n--b--\r\n"
        related = 'multipart/related; type="application/dicom"; boundary=b'
        return httpx.Response(200, content=body, headers={"Content-Type": related})
    uids = {"0020000E": SEEN.series_uid, "00080018": SEEN.instance_uid, "00080060": "DX"}
    return httpx.Response(200, json=[{tag: {"Value": [value]} for tag, value in uids.items()}])


def changed(**attributes: Any) -> bytes:
    """The same film but for these."""
    film, file = dcmread(BytesIO(FILM)), BytesIO()
    for name, value in attributes.items():
        setattr(film, name, value)
    film.save_as(file)
    return file.getvalue()


def refusing(request: httpx.Request) -> httpx.Response:
    return httpx.Response(403)


@dataclass
class World:
    """The EHR, which names no Endpoint, and two PACS that answer as the test says."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)
    studies: list[dict[str, Any]] = field(default_factory=lambda: [STUDY])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "ehr.example":
            found = self.studies if request.url.path.endswith("/ImagingStudy") else []
            held = [{"resource": study} for study in found]
            return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": held})
        self.asked.append(request)
        return self.answers[f"https://{request.url.host}/dicom-web"](request)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def over() -> Iterator[Event]:
    """Set when the test is over: nobody hangs for longer."""
    over = Event()
    yield over
    over.set()


@pytest.fixture
def prescreen(
    world: World, database: Database, valkey: Valkey, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Prescreen]]:
    for variable in SECRETS.values():
        monkeypatch.setenv(variable, f"us:{variable}")
    registration = Registration.from_json(
        {
            "issuer": EHR,
            "tenant": tenant,
            "fhirServers": [EHR],
            "jwksUrl": f"{EHR}/jwks",
            "pacs": [{"root": root, "auth": f"basic:{variable}"} for root, variable in SECRETS.items()],
        }
    )
    record = Record(database)
    with (
        httpx.Client(transport=httpx.MockTransport(world)) as http,
        ThreadPoolExecutor() as requests,
        ThreadPoolExecutor() as images,
        ThreadPoolExecutor() as notes,
    ):
        access = PacsAccess(http, None, 2**24, 5.0)  # type: ignore[arg-type]
        charts = Charts(http, access, None, requests, 365, 5)  # type: ignore[arg-type]
        looking = prescreening(Engine(MODELS, engine), record, valkey, places=2, images=images, notes=notes)

        def made() -> Prescreen:
            deadline = Deadline.after(60_000)
            trail = Trail(party("https://cds.example"), OnBehalf())
            chart = charts.open(registration, EHR, "p1", auth=httpx.Auth(), deadline=deadline, trail=trail)
            return looking(*chart, deadline)

        yield made


def engine(operation: str, deadline: Deadline, /, *arguments: Any) -> Any:
    """Reads a film; what the model says of it is not looked at here."""
    if operation == "read film":
        return read_film(*arguments, MODELS.image.input, QualityGate.from_bundle(MODELS.quality))
    return MODELS.image.score([0.0] * len(MODELS.image.findings))


@pytest.mark.parametrize("holder", [A, B])
def test_it_is_scored_from_the_pacs_that_has_it(
    holder: str, world: World, prescreen: Callable[[], Prescreen]
) -> None:
    world.answers = {A: without_it, B: without_it, holder: with_it}
    made = prescreen()
    assert made.study
    assert made.study.root == holder
    assert not any(missing.part == "image" for missing in made.missing)


def test_one_that_hangs_holds_up_nobody(world: World, prescreen: Callable[[], Prescreen], over: Event) -> None:
    def hanging(request: httpx.Request) -> httpx.Response:
        over.wait(30)
        return httpx.Response(503)

    world.answers = {A: hanging, B: with_it}
    made = prescreen()
    over.set()
    assert made.study
    assert made.study.root == B


def test_one_that_fails_is_named_where_no_other_has_it(world: World, prescreen: Callable[[], Prescreen]) -> None:
    world.answers = {A: refusing, B: without_it}
    (missing,) = [missing for missing in prescreen().missing if missing.part == "image"]
    assert missing.fault
    assert missing.reason == (
        "the image could not be had: no PACS that answered has the study; "
        "a.example was not looked into: the PACS does not let us at this study."
    )


def test_of_many_frames_the_first_is_scored_and_the_others_are_named(
    world: World, prescreen: Callable[[], Prescreen]
) -> None:
    film = changed(NumberOfFrames=3, PixelData=3 * dcmread(BytesIO(FILM)).PixelData)
    world.answers = {A: without_it, B: partial(with_it, film=film)}
    study = prescreen().study
    assert study
    assert study.frame == 1
    assert "2 x another frame of the image" in study.passed_over


def test_where_the_search_tells_no_view_the_files_do(world: World, prescreen: Callable[[], Prescreen]) -> None:
    """The newer of two is lateral, as its file says; it is not the frontal one's end."""
    lateral = "1.2.3.1.2"

    def both(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(lateral):
            return with_it(request, changed(SOPInstanceUID=lateral, ViewPosition="LL"))
        answer = with_it(request)
        if "/instances/" in request.url.path:
            return answer
        (frontal,) = answer.json()
        newer = {"00080018": {"Value": [lateral]}, "00200013": {"Value": [2]}}
        return httpx.Response(200, json=[frontal, frontal | newer])

    world.answers = {A: without_it, B: both}
    study = prescreen().study
    assert study
    assert SEEN
    assert (study.instance_uid, study.view, study.passed_over) == (SEEN.instance_uid, "PA", ("lateral view",))


class TestStudiesOfWhichTheChartSaysLittle:
    """A newer study turns out to be of a hand: its ImagingStudy says so nowhere."""

    HAND = STUDY | {
        "id": "hand",
        "started": "2026-11-21T08:00:00Z",
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.99"}],
    }

    @pytest.fixture(autouse=True)
    def several(self, world: World) -> None:
        world.studies = [self.HAND, STUDY]
        world.answers = {A: _holding_a_hand_beside_it, B: without_it}

    def test_the_newest_that_can_be_scored_is_and_the_other_is_named(
        self, prescreen: Callable[[], Prescreen]
    ) -> None:
        study = prescreen().study
        assert study
        assert study.reference == "ImagingStudy/s1"
        assert study.passed_over == ("DX of 2026-11-21: no frontal chest radiograph (DX of another body part)",)

    def test_where_none_can_be_that_is_said_of_the_newest(
        self, world: World, prescreen: Callable[[], Prescreen]
    ) -> None:
        world.studies = [self.HAND]
        (missing,) = [missing for missing in prescreen().missing if missing.part == "image"]
        assert "no frontal chest radiograph (DX of another body part)" in missing.reason


def _holding_a_hand_beside_it(request: httpx.Request) -> httpx.Response:
    answer = with_it(request)
    if "/studies/1.2.99/" in request.url.path:
        return httpx.Response(200, json=[answer.json()[0] | {"00180015": {"Value": ["HAND"]}}])
    return answer


def test_our_credentials_go_to_nobody_but_whose_they_are(world: World, prescreen: Callable[[], Prescreen]) -> None:
    world.answers = {A: with_it, B: with_it}
    prescreen()
    for request in world.asked:
        credentials = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        assert credentials == f"us:{SECRETS[f'https://{request.url.host}/dicom-web']}"
    assert world.asked
