"""Work ahead of an order never delays the answer, and what it does after the answer is kept and audited."""

from __future__ import annotations

import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from cds.audit.trail import party
from cds.audit.verify import verify
from cds.ehr.backend_services import BackendServices
from cds.engine.bundles import Bundle
from cds.findings import PartScore
from cds.fusion.late import LateFusion
from cds.hooks.call import Answer, Answering, Call
from cds.hooks.chart import Charts
from cds.hooks.client_auth import Client
from cds.hooks.context import Context
from cds.hooks.discovery import IMAGING_PATIENT_VIEW
from cds.hooks.request import FhirAuthorization, HookRequest
from cds.hooks.work_ahead import WorkAhead
from cds.keys import Keys
from cds.notes.deidentification import Deidentifier
from cds.pacs import PacsAccess
from cds.prescreen import Prescreening
from cds.registration import Registration
from cds.reporting.record import Record
from cds.settings import Settings
from cds.store.database import Database
from tests.hospital import MODELS

BASE = "https://ehr.example/fhir"
US = party("https://cds.example")
BUDGET_MS = 300
NOTE = {
    "resourceType": "DocumentReference",
    "id": "d1",
    "status": "current",
    "subject": {"reference": "Patient/p1"},
    "date": datetime.now(UTC).isoformat(),
    "content": [{"attachment": {"contentType": "text/plain", "data": b64encode(b"Short of breath.").decode()}}],
}
PREFETCH = {
    "patient": {"resourceType": "Patient", "id": "p1"},
    "studies": None,
    "documents": {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": NOTE}]},
}


class Held:
    """An engine, and an EHR, that are busy until the test lets them go on."""

    image_bundle = Bundle.load(MODELS / Settings().image_bundle)
    note_bundle = Bundle.load(MODELS / Settings().note_bundle)

    def __init__(self) -> None:
        self.go_on = Event()

    def score_image(self, pixels: NDArray[np.float32], /) -> PartScore:
        raise AssertionError("this patient has no image")

    def score_note(self, text: str, /) -> PartScore:
        assert self.go_on.wait(30)
        return self.note_bundle.score([3.0] * len(self.note_bundle.findings))

    def fhir(self, request: httpx.Request) -> httpx.Response:
        """By now the call was answered, and its token has ended."""
        assert self.go_on.wait(30)
        return httpx.Response(401)


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.go_on.set()


@pytest.fixture
def pools() -> Iterator[list[ThreadPoolExecutor]]:
    """For requests, parts, and work ahead: one at a time of the last."""
    with ThreadPoolExecutor(4) as requests, ThreadPoolExecutor(4) as parts, ThreadPoolExecutor(1) as ahead:
        yield [requests, parts, ahead]


@pytest.fixture
def answering(
    database: Database, tmp_path: Path, pools: list[ThreadPoolExecutor], held: Held
) -> Iterator[Answering]:
    """A service that works ahead and gives no cards."""
    requests, parts, ahead = pools
    record, settings = Record(database), Settings(data_dir=tmp_path)
    keys = Keys.load(settings)
    fusion = LateFusion.from_bundle(Bundle.load(MODELS / settings.fusion_bundle))
    prescreen = Prescreening(held, fusion, Deidentifier(keys.pseudonym), record, parts)
    with httpx.Client(transport=httpx.MockTransport(held.fhir)) as http:
        pacs = PacsAccess(http, BackendServices(http, keys), max_bytes=1, timeout_s=1)
        work = WorkAhead(prescreen, Charts(http, pacs, requests, 365, 5), record, ahead)

        def answer(call: Call) -> Answer:
            work(call)
            return Answer([])

        yield Answering(answer, record, us=US, budget_ms=BUDGET_MS)
        finished(pools, held)


def view(answering: Answering, tenant: str) -> HookRequest:
    """A chart is opened; the call that was answered."""
    client = Client(Registration(issuer=BASE, tenant=tenant, fhir_servers=(BASE,)), "jti-1")
    hook = HookRequest(
        IMAGING_PATIENT_VIEW,
        str(uuid.uuid4()),
        Context("Practitioner/example", "p1", None),
        BASE,
        FhirAuthorization("token", "patient/*.rs", "p1"),
        PREFETCH,
    )
    answering(client, hook)
    return hook


def finished(pools: list[ThreadPoolExecutor], held: Held) -> None:
    held.go_on.set()
    for pool in reversed(pools):
        pool.shutdown()


def rows(database: Database, tenant: str, table: str) -> list[str]:
    with database.transaction(tenant) as connection:
        return [str(body) for (body,) in connection.execute(f"SELECT body FROM {table}")]


def test_the_answer_does_not_wait_for_work_that_takes_longer(answering: Answering, tenant: str) -> None:
    started = time.monotonic()
    view(answering, tenant)
    assert BUDGET_MS / 1000 <= time.monotonic() - started < 3


def test_what_is_done_after_the_answer_is_kept(
    answering: Answering, tenant: str, database: Database, pools: list[ThreadPoolExecutor], held: Held
) -> None:
    view(answering, tenant)
    assert rows(database, tenant, "score") == []
    finished(pools, held)
    assert len(rows(database, tenant, "score")) == 1
    assert len(rows(database, tenant, "prescreen")) == 1


def test_what_is_done_after_the_answer_is_in_the_audit_trail(
    answering: Answering, tenant: str, database: Database, pools: list[ThreadPoolExecutor], held: Held
) -> None:
    hook = view(answering, tenant)
    (called,) = rows(database, tenant, "audit_event")
    assert "imaging-patient-view" in called
    finished(pools, held)
    events = rows(database, tenant, "audit_event")
    assert any("answered 401" in event for event in events)
    assert any("DocumentReference/d1" in event and "clinical-note" in event for event in events)
    assert all(hook.hook_instance in event for event in events)
    with database.transaction(tenant) as connection:
        assert verify(connection, tenant).intact


def test_work_whose_turn_comes_after_its_call_is_not_begun(
    answering: Answering, tenant: str, database: Database, pools: list[ThreadPoolExecutor], held: Held
) -> None:
    pools[-1].submit(held.go_on.wait, 30)
    view(answering, tenant)
    finished(pools, held)
    assert rows(database, tenant, "prescreen") == []
    assert len(rows(database, tenant, "audit_event")) == 1
