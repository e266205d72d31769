"""A call is answered in time with what there is; the worker finishes the rest by our own access."""

from __future__ import annotations

import json
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cds.audit.trail import party
from cds.audit.verify import verify
from cds.charts import Charts
from cds.deadline import Deadline
from cds.ehr.backend_services import BackendServices
from cds.ehr.smart_configuration import Discovery
from cds.errors import PreconditionFailed
from cds.findings import Prescreen
from cds.hooks.call import TELLING_MS, Answer, Answering, Call, UnderWay
from cds.hooks.client_auth import Client
from cds.hooks.context import Context
from cds.hooks.discovery import IMAGING_PATIENT_VIEW
from cds.hooks.look import Look
from cds.hooks.request import FhirAuthorization, HookRequest
from cds.inference.engine import Engine, Models
from cds.inference.reading import Reading, on_cores
from cds.keys import Keys
from cds.pacs import PacsAccess
from cds.prescreen import Prescreening
from cds.registration import Registration, Registrations
from cds.reporting.record import Record, kept
from cds.reporting.standing import Standing
from cds.settings import Settings
from cds.store import outbox, withdrawn_models
from cds.store.database import Database
from cds.store.sealed_tables import AUDIT_EVENT, OUTBOX, PRESCREEN, SCORE, SealedTable
from cds.store.valkey import Valkey
from cds.worker.delivery import Deliverer
from cds.worker.finishing import Finisher
from tests.opened import bodies
from tests.prescreening import prescreening

MODELS = Models.in_use(Settings())
BASE = "https://ehr.example/fhir"
US = party("https://cds.example")
BUDGET_MS = 300
UNHURRIED_MS = 20_000
"""Of a call that is to be answered whole, on whichever machine."""
PATIENT = {"resourceType": "Patient", "id": "p1"}
NOTE = {
    "resourceType": "DocumentReference",
    "id": "d1",
    "status": "current",
    "subject": {"reference": "Patient/p1"},
    "date": datetime.now(UTC).isoformat(),
    "content": [{"attachment": {"contentType": "text/plain", "data": b64encode(b"Short of breath.").decode()}}],
}
NOTES = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": NOTE}]}
NOTHING = {"resourceType": "Bundle", "type": "searchset"}
NOT_SUPPLIED = {"resourceType": "OperationOutcome", "issue": []}
PREFETCH = {"patient": PATIENT, "studies": None, "documents": NOTES}


class Busy:
    """Does what an engine is asked, but is busy with notes until the test lets it go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.scored = 0
        self.note = MODELS.note
        self._cores = on_cores(Reading.of(MODELS, b"k" * 32))

    def __call__(self, operation: str, deadline: Deadline, /, *arguments: Any) -> Any:
        if operation != "score note":
            return self._cores[operation](*arguments)
        self.scored += 1
        assert self.go_on.wait(30)
        return self.note.score([3.0] * len(self.note.findings))


class Ehr:
    """An EHR that gives us tokens of our own, and remembers who asked for what with which."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, float]] = []
        """Token, path, and when."""
        self.gives_tokens = True
        self.delay_s = 0.0
        self.knows_the_patient = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir")
        if path == "/.well-known/smart-configuration":
            return httpx.Response(200, json={"token_endpoint": f"{BASE}/token"})
        if path == "/token":
            if not self.gives_tokens:
                return httpx.Response(400, json={"error": "unauthorized_client"})
            return httpx.Response(200, json={"access_token": "ours", "token_type": "bearer", "expires_in": 300})
        self.requests.append((request.headers["Authorization"].removeprefix("Bearer "), path, time.monotonic()))
        time.sleep(self.delay_s)
        if path == "/Patient/p1" and not self.knows_the_patient:
            return httpx.Response(404)
        held = {"/Patient/p1": PATIENT, "/DocumentReference": NOTES}
        return httpx.Response(200, json=held.get(path, NOTHING))

    def asked(self, token: str) -> set[str]:
        return {path for used, path, _ in self.requests if used == token}


class Service:
    """A hook that prescreens and gives no cards, and a worker that finishes what is late."""

    def __init__(
        self,
        registration: Registration,
        database: Database,
        valkey: Valkey,
        keys: Keys,
        pools: list[ThreadPoolExecutor],
        http: httpx.Client,
    ) -> None:
        requests, images, notes = pools
        self.registration, self.database = registration, database
        self.models = Busy()
        self.record = record = Record(database)
        backend = BackendServices(http, keys, Discovery(http))
        self.engine = Engine(MODELS, self.models)

        def looking() -> Prescreening:
            """One of the web server's, and one of the worker's: what they share, they share by Valkey."""
            return prescreening(self.engine, record, valkey, places=4, images=images, notes=notes)

        pacs = PacsAccess(http, backend, max_bytes=1, timeout_s=1)
        charts = Charts(http, pacs, backend, requests, 365, 5)
        self.look = Look(looking(), charts, reported=True)
        self.answering = self._within(BUDGET_MS)
        self.unhurried = self._within(UNHURRIED_MS)
        self.prescreens: list[Prescreen] = []
        registrations = Registrations([registration])
        finisher = Finisher(registrations, looking(), charts, record, US)
        self._worker = Deliverer(database, registrations, http, backend, handlers={outbox.PRESCREEN: finisher})

    def _within(self, budget_ms: int) -> Answering:
        return Answering(self._answer, self.record, us=US, budget_ms=budget_ms, under_way=UnderWay())

    def _answer(self, call: Call) -> Answer:
        looked = self.look(call)
        self.prescreens.append(looked.prescreen)
        written = kept(looked.prescreen, call.trail)
        self.record.write(call.client.tenant, call.trail, written, *looked.due)
        return Answer([])

    def finish(self) -> None:
        """What the worker does of what is late."""
        tenant = self.registration.tenant
        with self.database.transaction(tenant) as connection:
            late = [letter.id for letter in outbox.waiting(connection, tenant) if letter.kind == outbox.PRESCREEN]
        for id in late:
            self._worker.deliver(tenant, id)


@pytest.fixture
def ehr() -> Ehr:
    return Ehr()


@pytest.fixture
def pools() -> Iterator[list[ThreadPoolExecutor]]:
    """For requests, images and notes."""
    with ExitStack() as open_pools:
        yield [open_pools.enter_context(ThreadPoolExecutor(size)) for size in (4, 4, 8)]


@pytest.fixture
def service(
    tenant: str, database: Database, valkey: Valkey, keys: Keys, pools: list[ThreadPoolExecutor], ehr: Ehr
) -> Iterator[Service]:
    registration = Registration(issuer=BASE, tenant=tenant, fhir_servers=(BASE,), client_id="sightline")
    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        service = Service(registration, database, valkey, keys, pools, http)
        yield service
        service.models.go_on.set()
        for pool in reversed(pools):
            pool.shutdown()


def called(service: Service, **prefetch: Any) -> HookRequest:
    """A chart is opened; the call that was answered."""
    return asked(service, service.answering, prefetch)


def called_unhurried(service: Service) -> HookRequest:
    """The same, with all the time that it takes."""
    return asked(service, service.unhurried, {})


def asked(service: Service, answering: Answering, prefetch: dict[str, Any]) -> HookRequest:
    hook = HookRequest(
        IMAGING_PATIENT_VIEW,
        str(uuid.uuid4()),
        Context("Practitioner/example", "p1", None),
        BASE,
        FhirAuthorization("lent", "patient/*.rs", "p1"),
        PREFETCH | prefetch,
    )
    answering(Client(service.registration, "jti-1"), hook, time.monotonic())
    return hook


def rows(database: Database, tenant: str, table: SealedTable) -> list[Any]:
    with database.transaction(tenant) as connection:
        return bodies(connection, table)


def reports(database: Database, tenant: str) -> list[Any]:
    """What the worker is asked to report."""
    return [body["prescreen"] for body in rows(database, tenant, OUTBOX) if "prescreen" in body]


def test_what_is_ready_in_time_is_whole_and_reported(service: Service, tenant: str, database: Database) -> None:
    service.models.go_on.set()
    called_unhurried(service)
    (prescreen,) = service.prescreens
    assert not prescreen.late
    assert reports(database, tenant) == [prescreen.id]


class TestTheDeadline:
    def test_the_answer_does_not_wait_for_work_that_takes_longer(self, service: Service, tenant: str) -> None:
        started = time.monotonic()
        called(service)
        assert (BUDGET_MS - TELLING_MS) / 1000 <= time.monotonic() - started < 3
        (prescreen,) = service.prescreens
        assert {missing.part: missing.late for missing in prescreen.missing} == {"image": False, "note": True}

    def test_time_that_passed_before_the_call_counts(self, service: Service, tenant: str) -> None:
        registration = Registration(issuer=BASE, tenant=tenant, fhir_servers=(BASE,))
        hook = HookRequest(
            IMAGING_PATIENT_VIEW, str(uuid.uuid4()), Context("Practitioner/x", "p1", None), BASE, None, PREFETCH
        )
        service.answering(Client(registration, "jti-1"), hook, time.monotonic() - 10)
        (prescreen,) = service.prescreens
        assert {missing.part for missing in prescreen.missing if missing.late} == {"image", "note"}
        assert service.models.scored == 0

    def test_a_slow_ehr_is_late_not_at_fault(self, service: Service, tenant: str, ehr: Ehr) -> None:
        ehr.delay_s = 2 * BUDGET_MS / 1000
        called(service, documents=NOT_SUPPLIED)
        (prescreen,) = service.prescreens
        assert prescreen.late

    def test_a_patient_who_is_late_is_no_reason_to_refuse(self, service: Service, tenant: str, ehr: Ehr) -> None:
        """CDS Hooks 2.0, "HTTP Status Codes": 412 is for what cannot be had; what is late is finished."""
        ehr.delay_s = 2 * BUDGET_MS / 1000
        called(service, patient=NOT_SUPPLIED)
        (prescreen,) = service.prescreens
        assert {missing.part for missing in prescreen.missing if missing.late} == {"image", "note"}

    def test_a_patient_who_cannot_be_had_is_412(self, service: Service, tenant: str, ehr: Ehr) -> None:
        ehr.knows_the_patient = False
        with pytest.raises(PreconditionFailed, match="the patient cannot be had"):
            called(service, patient=NOT_SUPPLIED)

    def test_what_is_late_is_not_reported_half(self, service: Service, tenant: str, database: Database) -> None:
        called(service)
        assert reports(database, tenant) == []

    def test_work_whose_turn_comes_after_its_answer_is_not_begun(
        self, service: Service, pools: list[ThreadPoolExecutor]
    ) -> None:
        for _ in range(8):
            pools[2].submit(service.models.go_on.wait, 30)
        called(service)
        service.models.go_on.set()
        pools[2].shutdown()
        assert service.models.scored == 0


class TestFinishing:
    def test_what_was_late_is_whole_and_reported_once(
        self, service: Service, tenant: str, database: Database
    ) -> None:
        called(service)
        called(service)
        service.models.go_on.set()
        service.finish()
        missing = [body["missing"] for body in rows(database, tenant, PRESCREEN)]
        assert len([parts for parts in missing if not any(part["late"] for part in parts)]) == 1
        assert len(reports(database, tenant)) == 1

    def test_the_token_of_the_call_is_not_used_after_it(self, service: Service, ehr: Ehr) -> None:
        called(service)
        answered = time.monotonic()
        service.models.go_on.set()
        service.finish()
        assert all(at < answered for token, _, at in ehr.requests if token == "lent")
        assert {"/Patient/p1", "/ImagingStudy", "/DocumentReference"} <= ehr.asked("ours")

    def test_it_waits_for_what_is_under_way_and_computes_nothing_twice(
        self, service: Service, tenant: str, database: Database
    ) -> None:
        called(service)
        with ThreadPoolExecutor(1) as worker:
            finishing = worker.submit(service.finish)
            with pytest.raises(TimeoutError):
                finishing.result(0.3)
            service.models.go_on.set()
            finishing.result(10)
        assert len(reports(database, tenant)) == 1
        assert service.models.scored == 1

    def test_what_was_begun_by_nobody_it_begins(
        self, service: Service, tenant: str, database: Database, ehr: Ehr
    ) -> None:
        ehr.delay_s = 2 * BUDGET_MS / 1000
        called(service, patient=NOT_SUPPLIED, documents=NOT_SUPPLIED)
        ehr.delay_s = 0
        service.models.go_on.set()
        service.finish()
        assert len(reports(database, tenant)) == 1

    def test_it_is_in_the_audit_trail_of_its_call(self, service: Service, tenant: str, database: Database) -> None:
        hook = called(service)
        before = len(rows(database, tenant, AUDIT_EVENT))
        service.models.go_on.set()
        service.finish()
        events = rows(database, tenant, AUDIT_EVENT)
        profiles = {
            name.rpartition(".")[2] for e in events[before:] for name in e.get("meta", {}).get("profile", ())
        }
        assert {"PatientRead", "PatientQuery"} <= profiles
        assert all(hook.hook_instance in json.dumps(event) for event in events)
        with database.transaction(tenant) as connection:
            assert verify(connection, tenant).intact

    def test_where_the_ehr_gives_us_no_token_it_is_tried_again_and_the_score_is_kept(
        self, service: Service, tenant: str, database: Database, pools: list[ThreadPoolExecutor], ehr: Ehr
    ) -> None:
        ehr.gives_tokens = False
        called(service)
        service.models.go_on.set()
        pools[2].shutdown()
        service.finish()
        assert len(rows(database, tenant, SCORE)) == 1
        assert reports(database, tenant) == []
        with database.transaction(tenant) as connection:
            (letter,) = outbox.waiting(connection, tenant)
        assert (letter.kind, letter.attempts) == (outbox.PRESCREEN, 1)
        assert "Refused" in (letter.last_error or "")


def test_identical_calls_in_flight_are_computed_once(
    service: Service, tenant: str, pools: list[ThreadPoolExecutor]
) -> None:
    with ThreadPoolExecutor(4) as calls:
        due: list[Future[Any]] = [calls.submit(called_unhurried, service) for _ in range(4)]
        while not service.models.scored:
            time.sleep(0.01)
        service.models.go_on.set()
        for one in due:
            one.result(10)
    assert service.models.scored == 1


def test_what_was_scored_is_known_to_a_service_started_anew(
    service: Service, database: Database, valkey: Valkey, keys: Keys, pools: list[ThreadPoolExecutor], ehr: Ehr
) -> None:
    service.models.go_on.set()
    called_unhurried(service)
    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        anew = Service(service.registration, database, valkey, keys, pools, http)
        called_unhurried(anew)
    assert (service.models.scored, anew.models.scored) == (1, 0)


class TestAWithdrawnModel:
    """Recalled while the service runs with it."""

    @pytest.fixture(autouse=True)
    def seen_before(self, service: Service, tenant: str, database: Database) -> None:
        """What the model said is kept, and then it is withdrawn; this process knows of it."""
        service.models.go_on.set()
        called_unhurried(service)
        with database.transaction(tenant) as connection:
            withdrawn_models.add(connection, tenant, MODELS.note.version.digest)
        service.record.stands = Standing(database)

    def test_looks_at_nothing_and_what_it_said_is_not_used(self, service: Service, tenant: str) -> None:
        called_unhurried(service)
        before, after = service.prescreens
        assert before.findings
        assert not after.findings
        reason = next(missing.reason for missing in after.missing if missing.part == "note")
        assert "was withdrawn" in reason
        assert service.models.scored == 1

    def test_another_version_looks_anew(self, service: Service, tenant: str) -> None:
        version = replace(MODELS.note.version, version="9.0.0", digest="f" * 64)
        service.models.note = replace(MODELS.note, version=version)
        service.engine.models = replace(MODELS, note=service.models.note)
        called_unhurried(service)
        # The thresholds of the fusion say at which level a note by itself is.
        looked, _, fused = service.prescreens[-1].models
        assert (looked, fused.kind) == (version, "fusion")
        assert service.models.scored == 2
