"""A head CT is ordered: the one on record is looked at, and its key slice is on the card, in report and PACS.

By a bundle whose weights are untrained: which slice it is means nothing; that it is the same one everywhere does.
"""

from __future__ import annotations

import os
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import EnhancedSRStorage

from cds.audit.trail import party
from cds.charts import Charts
from cds.ehr.backend_services import BackendServices
from cds.ehr.smart_configuration import Discovery
from cds.engine.local import LocalEngine
from cds.engine.slices import SliceReader
from cds.errors import NoSaliency
from cds.explain import Explaining
from cds.findings import Level, Prescreen
from cds.hooks.call import Answering, UnderWay
from cds.hooks.cards import Card
from cds.hooks.client_auth import Client
from cds.hooks.context import Context
from cds.hooks.discovery import IMAGING_PRESCREEN
from cds.hooks.look import Look
from cds.hooks.order_advice import OrderAdvice
from cds.hooks.order_sign import OrderSign
from cds.hooks.request import FhirAuthorization, HookRequest
from cds.hooks.telling import Telling
from cds.imaging.dicomweb import DICOMweb
from cds.inference.engine import Engine, Models
from cds.inference.reading import Reading, here
from cds.keys import Keys
from cds.pacs import PacsAccess
from cds.registration import Registration, Registrations
from cds.reporting.pacs import ResultsForPacs
from cds.reporting.record import Record
from cds.reporting.resources import resources
from cds.settings import Settings
from cds.store import outbox
from cds.store.database import Database
from cds.store.once import Once
from cds.store.valkey import Valkey
from cds.worker.delivery import Deliverer, Handle
from cds.worker.pacs import PacsDelivery, ToPacs
from cds.worker.report import Reporter
from tests.ct import make_enhanced, make_series
from tests.ct_bundle import in_use_as_if_trained, with_shipped_models
from tests.prescreening import prescreening

BASE = "https://ehr.example/fhir"
SECRET = "TEST_CT_PACS_SECRET"
REAL = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[3] / "shared/data")) / "dicom" / "dcmqa_ct"
PATIENT = {"resourceType": "Patient", "id": "p1"}
NOTE = {
    "resourceType": "DocumentReference",
    "id": "d1",
    "status": "current",
    "subject": {"reference": "Patient/p1"},
    "date": datetime.now(UTC).isoformat(),
    "content": [{"attachment": {"contentType": "text/plain", "data": b64encode(b"Fell on the head.").decode()}}],
}
HEAD_CT = {
    "resourceType": "ServiceRequest",
    "id": "o1",
    "status": "draft",
    "intent": "order",
    "code": {"text": "CT head without contrast"},
}
CHEST_FILM = HEAD_CT | {"id": "o2", "code": {"text": "Chest radiograph 2 views"}}


def searchset(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


@dataclass
class Pacs:
    """Orthanc with one head CT in it."""

    web: DICOMweb
    root: str
    study_uid: str
    instances: frozenset[str]

    def study(self, description: str = "CT HEAD") -> dict[str, Any]:
        """What the EHR has of it."""
        endpoint = {
            "resourceType": "Endpoint",
            "id": "e",
            "status": "active",
            "connectionType": {"code": "dicom-wado-rs"},
            "address": self.root,
        }
        return {
            "resourceType": "ImagingStudy",
            "id": "s1",
            "status": "available",
            "subject": {"reference": "Patient/p1"},
            "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{self.study_uid}"}],
            "modality": [{"code": "CT"}],
            "started": "2026-01-02T03:04:05Z",
            "description": description,
            "contained": [endpoint],
            "endpoint": [{"reference": "#e"}],
        }

    def added(self) -> list[Dataset]:
        """Every instance of the study that was not in it before."""
        held = {
            match["00080018"]["Value"][0]: match["0020000E"]["Value"][0]
            for match in self.web.instances(self.study_uid)
        }
        new = sorted(set(held) - self.instances)
        return [dcmread(BytesIO(self.web.instance(self.study_uid, held[uid], uid))) for uid in new]


def renamed(files: list[bytes], study_uid: str) -> list[bytes]:
    """The series in a study of its own."""
    series_uid, made = f"{study_uid}.1", []
    for number, file in enumerate(files, start=1):
        dataset = dcmread(BytesIO(file))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{series_uid}.{number}"
        written = BytesIO()
        dataset.save_as(written, enforce_file_format=True)
        made.append(written.getvalue())
    return made


@pytest.fixture
def real_head() -> list[bytes]:
    if not REAL.is_dir():
        pytest.skip("needs the CT in SIGHTLINE_DATA")
    return [path.read_bytes() for path in sorted(REAL.glob("*.dcm"))]


@pytest.fixture
def held(orthanc: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[bytes]], Pacs]]:
    parts = urlsplit(orthanc)
    monkeypatch.setenv(SECRET, f"{parts.username}:{parts.password}")
    root = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"
    auth = httpx.BasicAuth(parts.username or "", parts.password or "")
    with httpx.Client(trust_env=False) as http:

        def hold(files: list[bytes]) -> Pacs:
            web = DICOMweb(http, root, auth, max_bytes=2**26, timeout=30)
            study_uid = f"2.25.{uuid.uuid4().int}"[:50]
            web.store(study_uid, renamed(files, study_uid))
            uids = {match["00080018"]["Value"][0] for match in web.instances(study_uid)}
            return Pacs(web, root, study_uid, frozenset(uids))

        yield hold


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """With a CT bundle in use that nobody may activate."""
    home = tmp_path_factory.mktemp("ct")
    settings = with_shipped_models(Settings(), home)
    in_use_as_if_trained(settings, home)
    return settings


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Engine:
    """That of the service in this process."""
    models = Models.in_use(settings)
    local = LocalEngine.load(models.image, models.note, device="cpu")
    slices = [SliceReader.load(bundle, "cpu") for bundle in models.ct]
    return here(models, Reading.of(models, b"k" * 32), local, slices)


class Service:
    """The hook order-sign with a CT bundle in use, and the worker's way to the PACS."""

    def __init__(
        self,
        engine: Engine,
        database: Database,
        valkey: Valkey,
        keys: Keys,
        tenant: str,
    ) -> None:
        self.engine = engine
        self.tenant, self.database, self.record = tenant, database, Record(database)
        self.studies: list[dict[str, Any]] = []
        mounts = {"https://ehr.example": httpx.MockTransport(self._ehr)}
        self.http = httpx.Client(mounts=mounts, trust_env=False)
        self.backend = BackendServices(self.http, keys, Discovery(self.http))
        self.access = PacsAccess(self.http, self.backend, max_bytes=2**26, timeout_s=30)
        self.registration = Registration(issuer=BASE, tenant=tenant, fhir_servers=(BASE,), client_id="us")
        images, notes = ThreadPoolExecutor(2), ThreadPoolExecutor(2)
        self._prescreen = prescreening(engine, self.record, valkey, places=2, images=images, notes=notes)
        self._handle = keys.handle

    def knows(self, pacs: Pacs, *studies: dict[str, Any]) -> None:
        self.studies = list(studies or (pacs.study(),))
        entry = {"root": pacs.root, "auth": f"basic:{SECRET}", "results": ["SR", "SC"]}
        self.registration = Registration.from_json(
            {"issuer": BASE, "tenant": self.tenant, "fhirServers": [BASE], "clientId": "us", "pacs": [entry]}
            | {"jwksUrl": f"{BASE}/jwks"}
        )

    @property
    def registrations(self) -> Registrations:
        return Registrations([self.registration])

    def sign(self, order: dict[str, Any]) -> list[Card]:
        us = party("https://cds.example")
        charts = Charts(self.http, self.access, self.backend, ThreadPoolExecutor(8), 365, 5)
        look = Look(self._prescreen, charts, reported=True)
        telling = Telling(self.record, us.address, self._handle, timedelta(0))
        advice = OrderSign(OrderAdvice(look, telling, timedelta(hours=48)))
        answering = Answering(advice, self.record, us=us, budget_ms=120_000, under_way=UnderWay())
        context = Context("Practitioner/example", "p1", None, draft_orders=(order,))
        authorization = FhirAuthorization("lent", "patient/*.rs", "p1")
        hook = HookRequest(IMAGING_PRESCREEN, str(uuid.uuid4()), context, BASE, authorization, {})
        return answering(Client(self.registration, "jti"), hook, time.monotonic()).cards

    def prescreen(self) -> Prescreen:
        found = self.record.latest(self.tenant, BASE, "Patient/p1")
        assert found is not None
        return found

    def deliver(self) -> None:
        us = party("https://cds.example")
        to_pacs = ToPacs(self.registrations, self.record.standing, self.access, self.engine)
        handlers: dict[str, Handle] = {
            outbox.REPORT: Reporter(self.record, us, ResultsForPacs(self.registrations)),
            outbox.DICOM_RESULTS: PacsDelivery(self.record, us, to_pacs),
        }
        worker = Deliverer(self.database, self.registrations, self.http, self.backend, handlers=handlers)
        # The report is made first; then what it asks for is due.
        for kind in handlers:
            for id in self._due(kind):
                worker.deliver(self.tenant, id)

    def _due(self, kind: str) -> list[int]:
        with self.database.transaction(self.tenant) as connection:
            return [letter.id for letter in outbox.waiting(connection, self.tenant) if letter.kind == kind]

    def _ehr(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir")
        held = {
            "/Patient/p1": PATIENT,
            "/ImagingStudy": searchset(*self.studies),
            "/DocumentReference": searchset(NOTE),
        }
        return httpx.Response(200, json=held.get(path, searchset()))


@pytest.fixture
def service(
    engine: Engine,
    database: Database,
    valkey: Valkey,
    tmp_path: Path,
    tenant: str,
) -> Iterator[Service]:
    keys = Keys.load(Settings(data_dir=tmp_path))
    service = Service(engine, database, valkey, keys, tenant)
    yield service
    service.http.close()


@pytest.mark.orthanc
def test_a_real_head_from_the_order_to_the_archive(
    service: Service, held: Callable[[list[bytes]], Pacs], real_head: list[bytes]
) -> None:
    pacs = held(real_head)
    service.knows(pacs)
    (card,) = service.sign(HEAD_CT)
    prescreen = service.prescreen()
    worst = prescreen.findings[0]
    key = worst.key_slice
    assert key is not None
    assert (worst.key, worst.level, key.of) == ("hemorrhage", Level.HIGH, 28)
    said = f"key slice {key.number} of 28"

    assert card["indicator"] == "critical"
    assert "Intracranial hemorrhage" in card["summary"]
    assert said in card["summary"]
    assert said in card["detail"]
    assert card["suggestions"][0]["actions"][0]["resource"]["priority"] == "stat"

    assert prescreen.study is not None
    assert prescreen.study.modality == "CT"
    assert prescreen.missing == ()
    made = resources(prescreen)
    observation = next(one for one in made if one.get("code", {}).get("coding", [{}])[0].get("code") == "1386000")
    assert observation["note"] == [{"text": f"K{said[1:]}, SOP Instance UID {key.instance_uid}"}]
    assert said in next(one for one in made if one["resourceType"] == "DiagnosticReport")["conclusion"]

    service.deliver()
    report, *captures = sorted(pacs.added(), key=lambda one: one.Modality, reverse=True)
    assert report.SOPClassUID == EnhancedSRStorage
    assert key.instance_uid in str(report)
    assert report.PatientID == dcmread(BytesIO(real_head[0])).PatientID
    capture = min(captures, key=lambda one: one.InstanceNumber)
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == key.instance_uid
    assert capture.StudyInstanceUID == pacs.study_uid


@pytest.mark.orthanc
def test_the_slice_is_that_which_the_scanner_numbers_so(
    service: Service, held: Callable[[list[bytes]], Pacs]
) -> None:
    pacs = held(make_series(12, [0, 0, 0, 0, 1.0]))
    service.knows(pacs)
    service.sign(HEAD_CT)
    for finding in service.prescreen().findings:
        if finding.key_slice:
            series = service.prescreen().study.series_uid  # type: ignore[union-attr]
            file = pacs.web.instance(pacs.study_uid, series, finding.key_slice.instance_uid)
            assert dcmread(BytesIO(file)).InstanceNumber == finding.key_slice.number


@pytest.mark.orthanc
def test_a_series_in_one_instance_is_the_same(service: Service, held: Callable[[list[bytes]], Pacs]) -> None:
    pacs = held([make_enhanced(9, [0, 0, 0, 0, 1.0])])
    service.knows(pacs)
    (card,) = service.sign(HEAD_CT)
    prescreen = service.prescreen()
    key = prescreen.findings[0].key_slice
    assert key is not None
    assert prescreen.study is not None
    assert (key.of, key.number, key.frame) == (9, key.frame, prescreen.study.frame)
    assert f"key slice {key.number} of 9" in card["summary"]
    service.deliver()
    report, *captures = sorted(pacs.added(), key=lambda one: one.Modality, reverse=True)
    assert f"(0008,1160) Referenced Frame Number             IS: '{key.frame}'" in str(report)
    assert captures


@pytest.mark.orthanc
def test_what_speaks_for_it_lies_over_its_key_slice(
    service: Service, engine: Engine, valkey: Valkey, held: Callable[[list[bytes]], Pacs]
) -> None:
    pacs = held([make_enhanced(9, [0, 0, 0, 0, 1.0])])
    service.knows(pacs)
    service.sign(HEAD_CT)
    prescreen = service.prescreen()
    worst = prescreen.findings[0]
    explaining = Explaining(engine, service.database, secret=b"s" * 32, once=Once(valkey))
    assert worst in prescreen.explainable
    with Image.open(BytesIO(explaining(prescreen, worst.key, pacs.web))) as overlay:
        assert overlay.size == (96, 96)
        assert np.asarray(overlay)[..., 3].any()
    for finding in prescreen.findings:
        if finding.key_slice and finding not in prescreen.explainable:
            with pytest.raises(NoSaliency, match="another than the one shown"):
                explaining(prescreen, finding.key, pacs.web)
    service.deliver()
    capture = next(one for one in pacs.added() if one.Modality == "OT")
    coloured = np.ptp(capture.pixel_array[:96].astype(int), axis=2)
    assert coloured.max() > 30


@pytest.mark.orthanc
def test_a_gap_in_the_series_is_on_the_card(service: Service, held: Callable[[list[bytes]], Pacs]) -> None:
    files = make_series(12)
    service.knows(held(files[:6] + files[9:]))
    (card,) = service.sign(HEAD_CT)
    assert "**Not seen:** the CT has a gap: slice 7 lies 20 mm from slice 6." in card["detail"]


@pytest.mark.orthanc
def test_an_order_for_something_else_looks_at_no_ct(service: Service, held: Callable[[list[bytes]], Pacs]) -> None:
    service.knows(held(make_series(5)))
    service.sign(CHEST_FILM)
    assert service.prescreen().study is None
    assert {finding.key for finding in service.prescreen().findings}.isdisjoint({"hemorrhage", "skull_fracture"})


@pytest.mark.orthanc
def test_a_ct_of_another_part_of_the_body_is_not_looked_at(
    service: Service, held: Callable[[list[bytes]], Pacs]
) -> None:
    pacs = held(make_series(5, BodyPartExamined="CHEST"))
    service.knows(pacs, pacs.study("CT CHEST"))
    service.sign(HEAD_CT)
    assert service.prescreen().study is None


@pytest.mark.orthanc
def test_a_ct_that_cannot_be_read_is_said_to_whoever_orders_one(
    service: Service, held: Callable[[list[bytes]], Pacs]
) -> None:
    service.knows(held(make_series(5, RescaleSlope=None)))
    (card,) = service.sign(HEAD_CT)
    assert card["summary"].startswith("No imaging prescreen: the image could not be had: the slice does not say")


def test_without_a_ct_on_record_it_is_as_without_a_bundle(service: Service) -> None:
    assert service.sign(HEAD_CT) == []
    assert [(missing.reason, missing.fault) for missing in service.prescreen().missing] == [
        ("there is no chest radiograph on record.", False)
    ]
