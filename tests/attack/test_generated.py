"""Requests that nobody wrote: whole ones, bent at random. Each is answered, and never with a 5xx.

``pytest tests/attack/test_generated.py --hypothesis-profile=long`` sends 20,000; four at once, for most of the
time of one is waiting for other processes. With ``--hypothesis-seed`` they are the same again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.audit.trail import UNKNOWN_CALLER
from tests.attack.parties import Ehr, Trap
from tests.attack.service import FEEDBACK, PATH, Service, supplied
from tests.attack.test_addresses import bundle, endpoint, study

REQUESTS = max(300, settings.default.max_examples)
LONG = REQUESTS > 300
AT_ONCE = 4
pytestmark = pytest.mark.timeout(0 if LONG else 300)

VALKEY_AWAY = "replay cannot be ruled out while Valkey is away"

Json = dict[str, Any]
Place = tuple[Any, ...]
"""The keys and indices that lead to a value."""

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": "Rivera", "given": ["Ana"]}],
    "birthDate": "1970-03-02",
    "generalPractitioner": [{"reference": "Practitioner/d1"}],
}
NOTE: Json = {
    "resourceType": "DocumentReference",
    "id": "n1",
    "status": "current",
    "date": "2026-11-20T08:00:00Z",
    "subject": {"reference": "Patient/p1"},
    "content": [{"attachment": {"contentType": "text/plain", "data": "U3VkZGVuIGNoZXN0IHBhaW4u"}}],
}
ORDER: Json = {"resourceType": "ServiceRequest", "id": "o1", "status": "draft", "intent": "order"}
PILL: Json = {"resourceType": "MedicationRequest", "id": "m1", "status": "draft", "intent": "order"}

WHO: Json = {"userId": "Practitioner/someone", "patientId": "p1", "encounterId": "e1"}
DRAFTS: Json = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": ORDER}, {"resource": PILL}]}
CONTEXTS: dict[str, tuple[str, Json]] = {
    PATH: ("order-sign", WHO | {"draftOrders": DRAFTS}),
    "/cds-services/imaging-order-select": (
        "order-select",
        WHO | {"draftOrders": DRAFTS, "selections": ["ServiceRequest/o1"]},
    ),
    "/cds-services/imaging-patient-view": ("patient-view", WHO),
    "/cds-services/imaging-encounter-start": ("encounter-start", WHO),
}

ODD_TEXT = st.sampled_from(
    [
        "",
        "\0",
        "..",
        "../..",
        "p1",
        "Patient/p1",
        "2026-13-45",
        "9999-12-31T23:59:59Z",
        "1.2.3",
        "'",
        "%00",
        "\u202e",
    ]
) | st.text(max_size=20)
ODD_NUMBER = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ODD = st.recursive(
    st.none() | st.booleans() | ODD_NUMBER | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=6,
)
OUTCOME = st.sampled_from(["forbidden", "not-found", "timeout", "exception"]).map(
    lambda code: {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}
)


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*here, key))


def at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def removed(whole: Json, place: Place, _: Any) -> None:
    del at(whole, place[:-1])[place[-1]]


def replaced(whole: Json, place: Place, odd: Any) -> None:
    at(whole, place[:-1])[place[-1]] = odd


def wrapped(whole: Json, place: Place, _: Any) -> None:
    at(whole, place[:-1])[place[-1]] = [at(whole, place)]


def repeated(whole: Json, place: Place, _: Any) -> None:
    value = at(whole, place)
    at(whole, place[:-1])[place[-1]] = value * 50 if isinstance(value, str | list) else [value] * 50


def joined(whole: Json, place: Place, odd: Any) -> None:
    """An unknown key beside the known ones."""
    if isinstance(parent := at(whole, place[:-1]), dict):
        parent[f"x-{odd}"[:80]] = odd


BENDS: list[Callable[[Json, Place, Any], None]] = [removed, replaced, replaced, wrapped, repeated, joined]


@st.composite
def hook_calls(draw: st.DrawFn, service: Service) -> tuple[str, Json]:
    path = draw(st.sampled_from(sorted(CONTEXTS)))
    hook, context = CONTEXTS[path]
    given = service.order(hook=hook, context=context, prefetch=draw(prefetches(service.fhir)))
    return path, {name: value for name, value in given.items() if name == "hook" or draw(st.integers(0, 20))}


@st.composite
def prefetches(draw: st.DrawFn, base: str) -> Json:
    """The four answers to each template, and a Bundle of junk."""
    away = st.sampled_from([f"{base}/ImagingStudy?page=2", "http://127.0.0.1:9/fhir", "\\\\x", "http://["])
    resources = st.lists(st.sampled_from([study(), endpoint(base), NOTE, PATIENT, {}]) | ODD, max_size=4)
    junk = st.builds(lambda held, following: bundle(*held, following=following), resources, st.just("") | away)
    whole: Json = supplied(patient=PATIENT, studies=bundle(study(), endpoint(base)), documents=bundle(NOTE))
    for key in list(whole):
        way = draw(st.sampled_from(["whole", "whole", "absent", "null", "outcome", "junk", "odd"]))
        if way == "absent":
            del whole[key]
        elif way != "whole":
            whole[key] = draw({"null": st.none(), "outcome": OUTCOME, "junk": junk, "odd": ODD}[way])
    return whole


@st.composite
def feedback_calls(draw: st.DrawFn, card: str) -> tuple[str, Json]:
    told = {
        "card": draw(st.sampled_from([card, card, str(uuid.uuid4())])),
        "outcome": draw(st.sampled_from(["accepted", "overridden"])),
        "acceptedSuggestions": [{"id": "1"}],
        "overrideReason": {"reason": {"code": "disagree", "system": "urn:x"}, "userComment": draw(ODD_TEXT)},
        "outcomeTimestamp": draw(st.sampled_from(["2026-11-22T09:30:10Z", "0001-01-01T00:00:00+23:59"])),
    }
    return FEEDBACK, {"feedback": [told] * draw(st.integers(0, 3))}


@st.composite
def bent(draw: st.DrawFn, calls: st.SearchStrategy[tuple[str, Json]]) -> tuple[str, bytes]:
    """A call with up to four things wrong."""
    path, whole = draw(calls)
    whole = orjson.loads(orjson.dumps(whole))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 4]))):
        where = [place for place in places(whole) if place]
        if where:
            draw(st.sampled_from(BENDS))(whole, draw(st.sampled_from(where)), draw(ODD))
    return path, orjson.dumps(whole)


@pytest.fixture(scope="module")
def card(service: Service) -> str:
    """The uuid of a card that was given."""
    at_nobodys = bundle(study(), endpoint("http://127.0.0.1:9/dicom-web"))
    (given,) = service.post(service.order(prefetch=supplied(studies=at_nobodys))).json()["cards"]
    return str(given["uuid"])


def test_whatever_comes_is_answered(service: Service, hostile: Ehr, laid_trap: Trap, card: str) -> None:
    hostile.answers.clear()
    for path, resource in {"Patient/p1": PATIENT, "Endpoint/e1": endpoint(hostile.dicomweb)}.items():
        hostile.has(f"/fhir/{path}", resource)
    hostile.has("/fhir/ImagingStudy", bundle(study()))
    hostile.has("/fhir/DocumentReference", bundle(NOTE))
    seen: Counter[int] = Counter()
    before = service.audit_events(UNKNOWN_CALLER)
    calls = hook_calls(service) | hook_calls(service) | hook_calls(service) | feedback_calls(card)

    def answer_to(call: tuple[str, bytes]) -> httpx.Response:
        path, body = call
        return service.post(body, path=path)

    @settings(
        max_examples=REQUESTS // AT_ONCE,
        deadline=None,
        derandomize=not LONG,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(bent(calls), min_size=AT_ONCE, max_size=AT_ONCE))
    def answered(together: list[tuple[str, bytes]]) -> None:
        for (path, _), answer in zip(together, pool.map(answer_to, together), strict=True):
            seen[answer.status_code] += 1
            assert_is_an_answer(answer, path)

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answered()
    finally:
        print(f"{seen.total()} requests: {dict(sorted(seen.items()))}")
    assert laid_trap.seen == []
    assert {200, 400, 412} <= set(seen)
    # A machine that stands still may leave Valkey without an answer in time: nobody was refused for anything else.
    assert service.refusals(UNKNOWN_CALLER, after=before) == [VALKEY_AWAY] * seen[401]


def assert_is_an_answer(answer: httpx.Response, path: str) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code == 401:
        assert answer.content == b""
    elif answer.status_code == 200:
        assert path == FEEDBACK or isinstance(answer.json()["cards"], list)
    else:
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert "fault of ours" not in answer.text
