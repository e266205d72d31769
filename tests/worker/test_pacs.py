"""Results in the PACS: in the film's study, once, where the PACS asks for them; read back from a real one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import EnhancedSRStorage, KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

from cds.audit.trail import OnBehalf, Trail, party
from cds.deadline import Deadline
from cds.ehr.backend_services import BackendServices
from cds.ehr.smart_configuration import Discovery
from cds.engine.process.client import EngineProcess
from cds.errors import Away, NotAllowed
from cds.findings import Level, Prescreen, StudySeen
from cds.imaging.derived import WARNING, Source, derived_uid
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.secondary_capture import secondary_capture
from cds.imaging.selection import choose
from cds.imaging.structured_report import structured_report
from cds.inference.engine import Engine, Models
from cds.inference.socket import socket_of
from cds.keys import Keys
from cds.pacs import PacsAccess
from cds.registration import Registration, Registrations
from cds.reporting.pacs import ResultsForPacs, take_back
from cds.reporting.record import Record, kept
from cds.sandbox.radiograph import render
from cds.settings import Settings
from cds.store import outbox, withdrawn_models
from cds.store.database import Database
from cds.worker.delivery import Deliverer
from cds.worker.pacs import PacsDelivery, ToPacs
from cds.worker.pacs_rejection import Rejecting
from cds.worker.service import deliverer
from tests.engines import engine_of
from tests.imaging.conftest import SERIES, make_file
from tests.master import MASTER_KEY
from tests.opened import events
from tests.prescreens import EFFUSION, MASS, PNEUMOTHORAX, prescreen
from tests.worker.conftest import BASE, REGISTRATION, TENANT

SECRET = "TEST_PACS_SECRET"
NOBODY = "redis://127.0.0.1:9/0"


@dataclass
class Pacs:
    """A PACS with one film in it, and how our registration names it."""

    web: DICOMweb
    root: str
    study: StudySeen
    film: bytes

    def registrations(self, *results: str) -> Registrations:
        pacs = {"root": self.root, "auth": f"basic:{SECRET}", "results": list(results)}
        return Registrations([Registration.from_json(REGISTRATION | {"pacs": [pacs]})])

    def held(self) -> list[Dataset]:
        """Every instance of the study but the film."""
        found = self.web.instances(self.study.study_uid)
        uids = {match["00080018"]["Value"][0]: match["0020000E"]["Value"][0] for match in found}
        del uids[self.study.instance_uid]
        files = [self.web.instance(self.study.study_uid, series, uid) for uid, series in sorted(uids.items())]
        return [dcmread(BytesIO(file)) for file in files]


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def drawn() -> NDArray[np.uint16]:
    return render(23, size=(700, 600), findings={"pneumothorax": 0.8}, sides={"pneumothorax": "left"})


@pytest.fixture
def pacs(orthanc: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, drawn: NDArray[np.uint16]) -> Pacs:
    """Orthanc, with a film that no other test has."""
    parts = urlsplit(orthanc)
    monkeypatch.setenv(SECRET, f"{parts.username}:{parts.password}")
    root = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"
    auth = httpx.BasicAuth(parts.username or "", parts.password or "")
    web = DICOMweb(http, root, auth, max_bytes=2**26, timeout=20)
    study, series, instance = (f"2.25.{uuid.uuid4().int}" for _ in range(3))
    uids = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": instance}
    film = make_file(drawn, stored=12, WindowCenter=2048, WindowWidth=4096, PatientSex="F", **uids)
    web.store(study, [film])
    seen: StudySeen = replace(
        prescreen().study, study_uid=study, series_uid=series, instance_uid=instance, root=root
    )  # type: ignore[type-var]
    return Pacs(web, root, seen, film)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """That of the machine, in processes of its own."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("engine"), device="cpu")
    models = Models.in_use(settings)
    with engine_of(settings):
        yield Engine(models, EngineProcess(socket_of(settings), models.digests))


def away(operation: str, deadline: Deadline, /, *arguments: Any) -> Any:
    raise Away("the engine that runs the models is not there")


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.in_use(Settings())


@pytest.fixture
def seen(pacs: Pacs, models: Models) -> Prescreen:
    return prescreen(
        id=str(uuid.uuid4()),
        key=str(uuid.uuid4()),
        tenant=TENANT,
        fhir_server=BASE,
        study=pacs.study,
        models=(models.image.version,),
    )


Deliver = Callable[..., Deliverer]


@pytest.fixture
def storing(database: Database, keys: Keys, http: httpx.Client, engine: Engine) -> Callable[..., ToPacs]:
    access = PacsAccess(http, BackendServices(http, keys, Discovery(http)), max_bytes=2**26, timeout_s=20)

    def make(registrations: Registrations, **changes: Any) -> ToPacs:
        return replace(ToPacs(registrations, Record(database).standing, access, engine), **changes)

    return make


@pytest.fixture
def delivering(database: Database, keys: Keys, http: httpx.Client, storing: Callable[..., ToPacs]) -> Deliver:
    def make(registrations: Registrations, **changes: Any) -> Deliverer:
        us = party("https://cds.example")
        results, record = storing(registrations, **changes), Record(database)
        handlers = {
            outbox.DICOM_RESULTS: PacsDelivery(record, us, results),
            outbox.DICOM_REJECTION: PacsDelivery(
                record, us, Rejecting(registrations, record.by_id, results.access)
            ),
        }
        return Deliverer(
            database, registrations, http, BackendServices(http, keys, Discovery(http)), handlers=handlers
        )

    return make


def put(database: Database, registrations: Registrations, seen: Prescreen) -> list[tuple[int, str]]:
    """Keep the prescreen as an answer does; what is then on its way to the PACS."""
    trail = Trail(party("https://cds.example"), OnBehalf())
    write = ResultsForPacs(registrations)(seen, trail)
    Record(database).write(TENANT, trail, kept(seen, trail), write)
    key = f"{seen.id}/pacs"
    with database.transaction(TENANT) as connection:
        found = connection.execute("SELECT id, destination FROM outbox WHERE idempotency_key = %s", (key,))
        return found.fetchall()


def withdrawn(database: Database, seen: Prescreen) -> int:
    """Withdraw the model that scored the image, and what it said; the delivery that tells the PACS."""
    with database.transaction(TENANT) as connection:
        withdrawn_models.add(connection, TENANT, seen.models[0].digest)
        take_back(connection, seen, "A drill.")
        found = connection.execute(
            "SELECT id FROM outbox WHERE idempotency_key = %s", (f"{seen.id}/pacs/rejection",)
        )
        ((id,),) = found.fetchall()
    return int(id)


def again(database: Database, id: int) -> None:
    with database.transaction(TENANT) as connection:
        connection.execute("UPDATE outbox SET delivered_at = NULL, next_attempt_at = now() WHERE id = %s", (id,))


def error(database: Database, id: int) -> str | None:
    with database.transaction(TENANT) as connection:
        found = connection.execute("SELECT last_error FROM outbox WHERE id = %s", (id,)).fetchone()
    assert found is not None
    said: str | None = found[0]
    return said


@pytest.mark.orthanc
def test_report_and_captures_join_the_film_in_a_real_pacs(
    pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver
) -> None:
    registrations = pacs.registrations("SR", "SC")
    ((id, destination),) = put(database, registrations, seen)
    assert destination == pacs.root
    delivering(registrations).deliver(TENANT, id)
    assert error(database, id) is None
    held = pacs.held()
    assert sorted(one.SOPClassUID for one in held) == sorted(
        [EnhancedSRStorage, SecondaryCaptureImageStorage, SecondaryCaptureImageStorage]
    )
    for one in held:
        assert one.StudyInstanceUID == pacs.study.study_uid
        assert (str(one.PatientName), one.PatientID) == ("Doe^Jane", "MRN-4711")
        assert one.SeriesDescription == WARNING
    # The same order signed again is the same delivery.
    assert put(database, registrations, seen) == [(id, destination)]


@pytest.mark.orthanc
def test_the_worker_as_it_is_configured_delivers_and_audits(
    pacs: Pacs, seen: Prescreen, database: Database, database_url: str, tmp_path: Path
) -> None:
    ((id, _),) = put(database, pacs.registrations("SR"), seen)
    entry = REGISTRATION | {"pacs": [{"root": pacs.root, "auth": f"basic:{SECRET}", "results": ["SR"]}]}
    file = tmp_path / "registrations.json"
    file.write_text(json.dumps([entry]))
    settings = Settings(
        data_dir=tmp_path,
        database_url=database_url,
        redis_url=NOBODY,
        registrations_file=file,
        master_key=MASTER_KEY,
    )
    with deliverer(settings) as configured:
        configured.deliver(TENANT, id)
    assert error(database, id) is None
    assert len(pacs.held()) == 1
    with database.transaction(TENANT) as connection:
        *_, read, updated = events(connection, TENANT)
    for event, happened in ((read, "read"), (updated, "update")):
        assert event["subtype"][0]["code"] == happened
        assert event["entity"][0]["what"]["reference"] == "ImagingStudy/s1"
        assert event["entity"][1]["what"]["reference"] == "Patient/p1"
        assert pacs.root in str(event["agent"])


@pytest.mark.orthanc
def test_a_study_is_the_same_for_our_results_in_it(
    pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver
) -> None:
    before = choose(pacs.web.instances(pacs.study.study_uid))
    registrations = pacs.registrations("SR", "SC")
    ((id, _),) = put(database, registrations, seen)
    delivering(registrations).deliver(TENANT, id)
    assert len(pacs.held()) == 3
    assert choose(pacs.web.instances(pacs.study.study_uid)) == before


@pytest.mark.orthanc
def test_delivering_again_stores_nothing_new(
    pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver
) -> None:
    registrations = pacs.registrations("SR", "SC")
    ((id, _),) = put(database, registrations, seen)
    delivering(registrations).deliver(TENANT, id)
    first = pacs.held()
    again(database, id)
    delivering(registrations).deliver(TENANT, id)
    assert error(database, id) is None
    assert pacs.held() == first


@pytest.mark.orthanc
def test_what_comes_back_is_what_was_stored(pacs: Pacs, seen: Prescreen) -> None:
    source, colours = Source.read(pacs.film), np.full((90, 70, 3), 77, np.uint8)
    sent = [
        structured_report(seen, source),
        secondary_capture(seen, source, seen.findings[0], 1, colours, burned_in=False),
    ]
    pacs.web.store(pacs.study.study_uid, sent)
    by_uid = {one.SOPInstanceUID: one for one in pacs.held()}
    assert len(by_uid) == 2
    for made in (dcmread(BytesIO(file)) for file in sent):
        assert by_uid[made.SOPInstanceUID] == made


@pytest.mark.orthanc
def test_only_what_the_pacs_asks_for(pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver) -> None:
    ((id, _),) = put(database, pacs.registrations("SR"), seen)
    delivering(pacs.registrations("SR")).deliver(TENANT, id)
    assert [one.SOPClassUID for one in pacs.held()] == [EnhancedSRStorage]


@pytest.mark.orthanc
def test_a_report_alone_needs_no_engine_and_no_pixels(
    pacs: Pacs, seen: Prescreen, storing: Callable[..., ToPacs], models: Models
) -> None:
    study, instance = (f"2.25.{uuid.uuid4().int}" for _ in range(2))
    blank = make_file(
        np.full((100, 100), 7, np.uint16), StudyInstanceUID=study, SOPInstanceUID=instance, PatientSex="F"
    )
    pacs.web.store(study, [blank])
    there = replace(pacs.study, study_uid=study, series_uid=SERIES, instance_uid=instance)
    of_it = replace(seen, study=there)
    to_pacs = storing(pacs.registrations("SR"), prescreens=lambda tenant, id: of_it, engine=Engine(models, away))
    to_pacs(TENANT, {"prescreen": seen.id})
    assert len(pacs.web.instances(study)) == 2


@pytest.mark.orthanc
def test_while_the_engine_is_away_nothing_is_stored_and_nothing_is_lost(
    pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver, models: Models
) -> None:
    registrations = pacs.registrations("SR", "SC")
    ((id, _),) = put(database, registrations, seen)
    delivering(registrations, engine=Engine(models, away)).deliver(TENANT, id)
    assert error(database, id) == "Away: the engine that runs the models is not there"
    assert pacs.held() == []
    again(database, id)
    delivering(registrations).deliver(TENANT, id)
    assert len(pacs.held()) == 3


@pytest.mark.orthanc
def test_a_pacs_that_does_not_ask_is_given_nothing(
    pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver
) -> None:
    assert put(database, pacs.registrations(), seen) == []
    ((id, _),) = put(database, pacs.registrations("SR"), seen)
    # It was asked for then, and is not any more.
    delivering(pacs.registrations()).deliver(TENANT, id)
    assert error(database, id) == "NotAllowed: the PACS is not registered to be given results"
    assert pacs.held() == []


@pytest.mark.orthanc
def test_the_captures_are_of_the_worst_findings_above_their_thresholds(
    pacs: Pacs, seen: Prescreen, storing: Callable[..., ToPacs]
) -> None:
    many = [replace(PNEUMOTHORAX, key=key, level=Level.REVIEW) for key in ("edema", "nodule", "pneumonia")]
    worst_first = replace(seen, findings=(PNEUMOTHORAX, replace(EFFUSION, image=None), *many, MASS))
    registrations = pacs.registrations("SC")
    storing(registrations, prescreens=lambda tenant, id: worst_first)(TENANT, {"prescreen": seen.id})
    captures = sorted(pacs.held(), key=lambda one: int(one.InstanceNumber))
    assert [one.InstanceNumber for one in captures] == [1, 2, 3]
    left, right = np.array_split(captures[0].pixel_array[:700].astype(int), 2, axis=1)
    # A pneumothorax on the patient's left is at the right of the film; what is not grey is the overlay.
    assert np.ptp(right, axis=2).sum() > np.ptp(left, axis=2).sum()


@pytest.mark.orthanc
def test_a_model_that_is_not_in_use_any_more_makes_no_captures(
    pacs: Pacs, seen: Prescreen, database: Database, delivering: Deliver
) -> None:
    registrations = pacs.registrations("SR", "SC")
    ((id, _),) = put(database, registrations, replace(seen, models=prescreen().models))
    delivering(registrations).deliver(TENANT, id)
    assert [one.SOPClassUID for one in pacs.held()] == [EnhancedSRStorage]


@pytest.fixture
def by_a_bad_model(seen: Prescreen) -> Prescreen:
    """By a version of its own: what is withdrawn does not stand for any other test."""
    return replace(seen, models=(replace(seen.models[0], digest=uuid.uuid4().hex * 2),))


def rejected(note: Dataset) -> set[str]:
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    return {
        one.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }


@pytest.mark.orthanc
def test_what_is_withdrawn_is_rejected_in_the_pacs_once(
    pacs: Pacs, by_a_bad_model: Prescreen, database: Database, delivering: Deliver
) -> None:
    registrations = pacs.registrations("SR", "SC")
    ((id, _),) = put(database, registrations, by_a_bad_model)
    delivering(registrations).deliver(TENANT, id)
    before = pacs.held()
    # Somebody else's, who put it where ours is.
    strange = {"SOPInstanceUID": f"2.25.{uuid.uuid4().int}", "StudyInstanceUID": pacs.study.study_uid}
    series = derived_uid(by_a_bad_model, "SR/series")
    drawn = np.full((64, 64), 7, np.uint16)
    pacs.web.store(pacs.study.study_uid, [make_file(drawn, Modality="OT", SeriesInstanceUID=series, **strange)])
    rejection = withdrawn(database, by_a_bad_model)
    delivering(registrations).deliver(TENANT, rejection)
    again(database, rejection)
    delivering(registrations).deliver(TENANT, rejection)
    assert error(database, rejection) is None
    (note,) = [one for one in pacs.held() if one.SOPClassUID == KeyObjectSelectionDocumentStorage]
    assert rejected(note) == {one.SOPInstanceUID for one in before}
    assert (str(note.PatientName), note.PatientID) == ("Doe^Jane", "MRN-4711")
    assert choose(pacs.web.instances(pacs.study.study_uid)).instance_uid == pacs.study.instance_uid


@pytest.mark.orthanc
def test_a_pacs_that_was_given_nothing_is_told_nothing(
    pacs: Pacs, by_a_bad_model: Prescreen, database: Database, delivering: Deliver
) -> None:
    registrations = pacs.registrations("SR")
    ((id, _),) = put(database, registrations, by_a_bad_model)
    rejection = withdrawn(database, by_a_bad_model)
    # What was still on its way does not set out any more, and nothing is left of either.
    for each in (id, rejection):
        delivering(registrations).deliver(TENANT, each)
        assert error(database, each) is None
    assert pacs.held() == []


@pytest.mark.orthanc
def test_a_pacs_that_does_not_ask_any_more_leaves_a_letter(
    pacs: Pacs, by_a_bad_model: Prescreen, database: Database, delivering: Deliver
) -> None:
    ((id, _),) = put(database, pacs.registrations("SR"), by_a_bad_model)
    delivering(pacs.registrations("SR")).deliver(TENANT, id)
    rejection = withdrawn(database, by_a_bad_model)
    delivering(pacs.registrations()).deliver(TENANT, rejection)
    assert error(database, rejection) == "NotAllowed: the PACS is not registered to be given results"


def test_without_an_image_there_is_nothing_to_give(database: Database) -> None:
    pacs = {"root": "https://pacs.example/dicom-web", "results": ["SR"]}
    registrations = Registrations([Registration.from_json(REGISTRATION | {"pacs": [pacs]})])
    for changed in ({"study": None}, {"findings": tuple(replace(f, image=None) for f in prescreen().findings)}):
        one = prescreen(id=str(uuid.uuid4()), key=str(uuid.uuid4()), tenant=TENANT, fhir_server=BASE, **changed)
        assert put(database, registrations, one) == []


def test_another_tenants_pacs_is_out_of_reach(models: Models) -> None:
    registrations = Registrations([Registration.from_json(REGISTRATION)])
    access = PacsAccess(httpx.Client(), None, 1, 1)  # type: ignore[arg-type]
    one, engine = prescreen(fhir_server=BASE), Engine(models, away)
    with pytest.raises(NotAllowed):
        ToPacs(registrations, lambda tenant, id: one, access, engine)("another", {"prescreen": one.id})
