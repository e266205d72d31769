"""One read for all who ask at the same moment, and for nobody whose token might be answered otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from cds.ehr.bearer import Bearer
from cds.ehr.fhir_client import FhirClient
from cds.ehr.in_flight import InFlight
from cds.errors import Refused, Unreachable

BASE = "https://ehr.example/fhir"

ClientOf = Callable[..., FhirClient]


class Ehr:
    """Answers when it is let go, and knows how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.let_go = threading.Event()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        assert self.let_go.wait(10)
        type_, id_ = request.url.path.split("/")[-2:]
        return httpx.Response(self.status, json={"resourceType": type_, "id": id_})


class Crowd:
    """Clients that share what is in flight, and that have all asked before the EHR answers."""

    def __init__(self, ehr: Ehr, client_of: ClientOf, pool: ThreadPoolExecutor) -> None:
        self._ehr, self._client_of, self._pool = ehr, client_of, pool
        self._in_flight = InFlight()
        self._has_asked = threading.Semaphore(0)

    def client(self, token: str = "lent", **more: Any) -> FhirClient:
        auth = Bearer(token, BASE)
        return self._client_of(self._ehr, auth, in_flight=self._in_flight, timeout_s=self._remaining, **more)

    def read(self, *wanted: tuple[FhirClient, str]) -> list[Future[Any]]:
        """``Patient/{id}`` by each client."""
        due = [self._pool.submit(client.read, "Patient", id) for client, id in wanted]
        for _ in wanted:
            assert self._has_asked.acquire(timeout=10)
        self._ehr.let_go.set()
        return due

    def _remaining(self) -> float:
        """Looked at by whoever asks, and by whoever is about to wait."""
        self._has_asked.release()
        return 10


@pytest.fixture
def ehr() -> Ehr:
    return Ehr()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def crowd(ehr: Ehr, client_of: ClientOf, pool: ThreadPoolExecutor) -> Crowd:
    return Crowd(ehr, client_of, pool)


def test_one_request_answers_all_who_ask_for_the_same(ehr: Ehr, crowd: Crowd) -> None:
    due = crowd.read(*[(crowd.client(), "p1") for _ in range(4)])
    first, *others = [one.result() for one in due]
    assert all(other == first and other is not first for other in others)
    assert len(ehr.asked) == 1


def test_each_is_told_of_its_access(crowd: Crowd) -> None:
    told: list[int | None] = []
    clients = [crowd.client(on_access=lambda method, url, status: told.append(status)) for _ in range(3)]
    for one in crowd.read(*[(client, "p1") for client in clients]):
        one.result()
    assert told == [200] * 3


def test_a_refusal_is_everybodys(ehr: Ehr, crowd: Crowd) -> None:
    ehr.status = 403
    for one in crowd.read((crowd.client(), "p1"), (crowd.client(), "p1")):
        with pytest.raises(Refused):
            one.result()
    assert len(ehr.asked) == 1


def test_another_token_asks_for_itself(ehr: Ehr, crowd: Crowd) -> None:
    """It may have other permissions."""
    for one in crowd.read((crowd.client("lent"), "p1"), (crowd.client("anothers"), "p1")):
        one.result()
    assert len(ehr.asked) == 2


def test_another_patient_is_asked_for(ehr: Ehr, crowd: Crowd) -> None:
    due = crowd.read((crowd.client(), "p1"), (crowd.client(), "p2"))
    assert [one.result()["id"] for one in due] == ["p1", "p2"]


def test_another_tenant_asks_for_itself(ehr: Ehr, crowd: Crowd) -> None:
    ours, theirs = crowd.client(), crowd.client()
    theirs.tenant = "other"
    for one in crowd.read((ours, "p1"), (theirs, "p1")):
        one.result()
    assert len(ehr.asked) == 2


def test_what_was_answered_is_asked_for_anew(ehr: Ehr, crowd: Crowd) -> None:
    for _ in range(2):
        (due,) = crowd.read((crowd.client(), "p1"))
        due.result()
    assert len(ehr.asked) == 2


class TestWhoeverAskedFirstRunsOutOfTime:
    def asked(self, pool: ThreadPoolExecutor, second_has: float) -> Future[httpx.Response]:
        """The answer to the second, who asks while the first does; the first gets none in its time."""
        in_flight, begun, over = InFlight(), threading.Event(), threading.Event()

        def none_in_time() -> httpx.Response:
            begun.set()
            assert over.wait(10)
            raise Unreachable("there was no answer in time")

        def remaining() -> float:
            over.set()
            return second_has

        pool.submit(in_flight, "patient", none_in_time, lambda: 0.0)
        assert begun.wait(10)
        return pool.submit(in_flight, "patient", lambda: httpx.Response(200), remaining)

    def test_whoever_has_time_left_asks_again(self, pool: ThreadPoolExecutor) -> None:
        assert self.asked(pool, second_has=10.0).result().status_code == 200

    def test_whoever_has_none_is_told_so(self, pool: ThreadPoolExecutor) -> None:
        with pytest.raises(Unreachable):
            self.asked(pool, second_has=0.0).result()
