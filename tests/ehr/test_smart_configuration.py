"""The SMART configuration (SMART App Launch 2.2, conformance.html): kept for a while, asked for one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from cds.ehr.smart_configuration import KEPT_S, Discovery
from cds.errors import BadAnswer, NotAllowed, Unreachable, UpstreamError
from cds.registration import Registration
from tests.ehr.conftest import BASE

SLOW = "https://slow.example/fhir"

Handler = Callable[[httpx.Request], httpx.Response]


def discovery(handler: Handler, *, timeout_s: float = 5.0, clock: Callable[[], float] = lambda: 0.0) -> Discovery:
    return Discovery(httpx.Client(transport=httpx.MockTransport(handler)), timeout_s=timeout_s, clock=clock)


def test_it_is_kept_for_an_hour(registration: Registration) -> None:
    asked: list[str] = []
    now = [1.0]

    def ehr(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        assert request.headers["Accept"] == "application/json"
        return httpx.Response(200, json={"issuer": str(len(asked))})

    ehrs = discovery(ehr, clock=lambda: now[0])
    for later, issuer in ((0.0, "1"), (KEPT_S - 1.0, "1"), (2.0, "2")):
        now[0] += later
        assert ehrs.of(registration, BASE).issuer == issuer
    assert set(asked) == {f"{BASE}/.well-known/smart-configuration"}


def test_a_failure_is_not_kept(registration: Registration) -> None:
    answers = [httpx.Response(200, json={}), httpx.Response(500)]
    ehrs = discovery(lambda request: answers.pop(), clock=lambda: 1.0)
    with pytest.raises(BadAnswer):
        ehrs.of(registration, BASE)
    assert ehrs.of(registration, BASE).document == {}


def test_what_was_of_no_use_is_not_kept_either(registration: Registration) -> None:
    answers = [{"issuer": "new"}, {"issuer": "old"}]
    ehrs = discovery(lambda request: httpx.Response(200, json=answers.pop()), clock=lambda: 1.0)
    with pytest.raises(UpstreamError), ehrs.used(registration, BASE) as configuration:
        configuration.endpoint("token_endpoint")
    assert ehrs.of(registration, BASE).issuer == "new"


def test_a_server_that_is_not_registered_is_not_asked(registration: Registration) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError("called")

    with pytest.raises(NotAllowed):
        discovery(nobody).of(registration, "https://evil.example/fhir")


def test_a_slow_server_holds_up_nobody_else_and_not_without_end(registration: Registration) -> None:
    both = replace(registration, fhir_servers=(BASE, SLOW))
    begun, go_on = threading.Event(), threading.Event()

    def ehr(request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(SLOW):
            begun.set()
            assert go_on.wait(30)
        return httpx.Response(200, json={})

    ehrs = discovery(ehr, timeout_s=0.05, clock=lambda: 1.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ehrs.of, both, SLOW)
        assert begun.wait(10)
        assert ehrs.of(both, BASE).document == {}
        with pytest.raises(Unreachable, match="in time"):
            ehrs.of(both, SLOW)
        go_on.set()
        slow.exception(10)
