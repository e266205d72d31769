"""Results reach the EHR once: in a transaction, one by one, after a crash in between, and when called again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from cds.ehr.fhir_client import FhirClient
from cds.ehr.write_back import deliver
from cds.errors import BadAnswer, Refused, Unreachable

BASE = "https://ehr.example/fhir"
SYSTEM = "https://sightline.example/ids"
REPORT, PNEUMOTHORAX, EFFUSION, DEVICE, PROVENANCE = (
    f"urn:uuid:0000000{n}-0000-4000-8000-000000000000" for n in range(5)
)

ClientOf = Callable[..., FhirClient]


def ours(value: str) -> dict[str, Any]:
    return {"identifier": [{"system": SYSTEM, "value": value}]}


def results() -> dict[str, Any]:
    """A Bundle in an order in which it cannot be created one by one."""
    resources = {
        PROVENANCE: {
            "resourceType": "Provenance",
            "target": [{"reference": REPORT}, {"reference": PNEUMOTHORAX}],
            "agent": [{"who": {"reference": DEVICE}}],
        },
        REPORT: {
            "resourceType": "DiagnosticReport",
            **ours("r"),
            "subject": {"reference": "Patient/p1"},
            "result": [{"reference": PNEUMOTHORAX}, {"reference": EFFUSION}],
        },
        PNEUMOTHORAX: {"resourceType": "Observation", **ours("o1"), "device": {"reference": DEVICE}},
        EFFUSION: {"resourceType": "Observation", **ours("o2"), "device": {"reference": DEVICE}},
        DEVICE: {"resourceType": "Device", **ours("d|1/2")},
    }
    entries = [{"fullUrl": full_url, "resource": resource} for full_url, resource in resources.items()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


class Ehr:
    """A FHIR server that keeps what it is given, with the habits of one vendor or another."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.states_transaction = True
        self.refuses_transaction: int | None = None
        self.dies_after: int | None = None
        self.posts: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir").strip("/")
        if path == "metadata":
            interaction = [{"code": "transaction"}] if self.states_transaction else []
            rest = [{"mode": "server", "interaction": interaction}]
            return httpx.Response(200, json={"resourceType": "CapabilityStatement", "rest": rest})
        if request.method == "GET":
            entry = [{"resource": r} for r in self.matching(path, request.url.query.decode())]
            return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entry})
        self.posts.append(path)
        if path:
            return self.create(orjson.loads(request.content), request.headers.get("If-None-Exist", ""))
        return self.transaction(orjson.loads(request.content))

    def matching(self, type_: str, query: str) -> list[dict[str, Any]]:
        ((name, (value,)),) = parse_qs(query).items()
        held = [resource for resource in self.held.values() if resource["resourceType"] == type_]
        if name == "target":
            return [r for r in held if value in [t["reference"] for t in r["target"]]]
        system, value = (re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\)\|", value))
        return [r for r in held if r["identifier"] == [{"system": system, "value": value}]]

    def create(self, resource: dict[str, Any], if_none_exist: str) -> httpx.Response:
        if self.dies_after is not None and len(self.posts) > self.dies_after:
            raise httpx.ReadTimeout("dead")
        if if_none_exist and (matches := self.matching(resource["resourceType"], if_none_exist)):
            return httpx.Response(200 if len(matches) == 1 else 412)
        return httpx.Response(201, headers={"Location": f"{BASE}/{self.keep(resource)}/_history/1"})

    def keep(self, resource: dict[str, Any]) -> str:
        id_ = f"{len(self.held) + 1}"
        reference = f"{resource['resourceType']}/{id_}"
        self.held[reference] = {**resource, "id": id_}
        return reference

    def transaction(self, bundle: dict[str, Any]) -> httpx.Response:
        if self.refuses_transaction:
            return httpx.Response(self.refuses_transaction)
        assert bundle["type"] == "transaction"
        conditions = [
            (e["request"]["url"], e["request"].get("ifNoneExist", "identifier=|")) for e in bundle["entry"]
        ]
        if any(len(self.matching(*condition)) > 1 for condition in conditions):
            return httpx.Response(412)
        places = {}
        for entry in bundle["entry"]:
            resource, request = entry["resource"], entry["request"]
            assert (request["method"], request["url"]) == ("POST", resource["resourceType"])
            assert ("ifNoneExist" in request) is ("identifier" in resource)
            places[entry["fullUrl"]] = self.keep(resource)
        raw = orjson.dumps(self.held).decode()
        for full_url, place in places.items():
            raw = raw.replace(full_url, place)
        self.held = orjson.loads(raw)
        responses = [
            {"response": {"status": "201 Created", "location": f"{place}/_history/1"}} for place in places.values()
        ]
        return httpx.Response(
            200, json={"resourceType": "Bundle", "type": "transaction-response", "entry": responses}
        )

    def check(self) -> None:
        """Everything is there once and refers to its place here."""
        by_type = sorted(reference.partition("/")[0] for reference in self.held)
        assert by_type == ["Device", "DiagnosticReport", "Observation", "Observation", "Provenance"]
        assert b"urn:uuid" not in orjson.dumps(self.held)
        (provenance,) = (r for r in self.held.values() if r["resourceType"] == "Provenance")
        assert self.held[provenance["target"][0]["reference"]]["resourceType"] == "DiagnosticReport"
        assert self.held[provenance["agent"][0]["who"]["reference"]]["resourceType"] == "Device"
        (report,) = (r for r in self.held.values() if r["resourceType"] == "DiagnosticReport")
        assert {self.held[r["reference"]]["resourceType"] for r in report["result"]} == {"Observation"}
        assert report["subject"] == {"reference": "Patient/p1"}


@pytest.fixture
def ehr() -> Ehr:
    return Ehr()


def test_one_transaction_delivers_all(ehr: Ehr, client_of: ClientOf) -> None:
    delivered = deliver(client_of(ehr), results())
    ehr.check()
    assert ehr.posts == [""]
    assert ehr.held[delivered.references[REPORT]]["resourceType"] == "DiagnosticReport"
    assert delivered.of_type("DiagnosticReport") == (delivered.references[REPORT],)
    assert set(delivered.references.values()) == set(ehr.held)


def test_one_by_one_where_the_server_states_no_transaction(ehr: Ehr, client_of: ClientOf) -> None:
    ehr.states_transaction = False
    delivered = deliver(client_of(ehr), results())
    ehr.check()
    assert "" not in ehr.posts
    assert set(delivered.references.values()) == set(ehr.held)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422, 501])
def test_one_by_one_where_the_server_refuses_the_transaction(ehr: Ehr, client_of: ClientOf, status: int) -> None:
    ehr.refuses_transaction = status
    deliver(client_of(ehr), results())
    ehr.check()


@pytest.mark.parametrize("transactions", [True, False])
def test_the_same_call_again_creates_nothing(ehr: Ehr, client_of: ClientOf, transactions: bool) -> None:
    ehr.states_transaction = transactions
    first = deliver(client_of(ehr), results())
    held = orjson.dumps(ehr.held)
    assert deliver(client_of(ehr), results()) == first
    ehr.states_transaction = not transactions
    assert deliver(client_of(ehr), results()) == first
    assert orjson.dumps(ehr.held) == held


@pytest.mark.parametrize("created", [0, 1, 2, 3, 4])
def test_after_a_crash_in_between_the_next_call_takes_up_what_is_lacking(
    ehr: Ehr, client_of: ClientOf, created: int
) -> None:
    ehr.states_transaction = False
    ehr.dies_after = created
    with pytest.raises(Unreachable):
        deliver(client_of(ehr), results())
    assert len(ehr.held) == created
    ehr.dies_after = None
    deliver(client_of(ehr), results())
    ehr.check()


def test_a_device_that_is_there_twice_already_is_used_as_it_is(ehr: Ehr, client_of: ClientOf) -> None:
    device = next(e["resource"] for e in results()["entry"] if e["fullUrl"] == DEVICE)
    first, _ = ehr.keep(device), ehr.keep(device)
    delivered = deliver(client_of(ehr), results())
    assert delivered.references[DEVICE] == first
    assert sorted(reference.partition("/")[0] for reference in ehr.held).count("Device") == 2
    assert len(ehr.held) == 6


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_server_in_trouble_is_left_alone(ehr: Ehr, client_of: ClientOf, status: int) -> None:
    ehr.refuses_transaction = status
    with pytest.raises(Refused if status == 401 else BadAnswer):
        deliver(client_of(ehr), results())
    assert ehr.posts == [""]
    assert ehr.held == {}


@pytest.mark.parametrize(
    "answer",
    [
        {"resourceType": "Bundle", "type": "searchset"},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": []},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "201"}}] * 4},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "409"}}] * 5},
    ],
)
def test_a_transaction_must_be_answered_entry_by_entry(
    ehr: Ehr, client_of: ClientOf, answer: dict[str, Any]
) -> None:
    def odd(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answer) if request.url == BASE else ehr(request)

    with pytest.raises(BadAnswer):
        deliver(client_of(odd), results())


def test_a_server_without_a_readable_capability_statement_is_tried(ehr: Ehr, client_of: ClientOf) -> None:
    def odd(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if request.url.path.endswith("metadata") else ehr(request)

    deliver(client_of(odd), results())
    assert ehr.posts == [""]


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": {"resourceType": "Observation", **ours("x")}},
        {"fullUrl": REPORT, "resource": {"resourceType": "Observation"}},
        {"fullUrl": REPORT, "resource": {"resourceType": "Observation", "identifier": [{"value": "x"}]}},
        {"fullUrl": REPORT, "resource": {"resourceType": "Provenance"}},
    ],
)
def test_what_could_not_be_known_again_is_not_delivered(client_of: ClientOf, entry: dict[str, Any]) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    with pytest.raises(ValueError, match=r"fullUrl|know it by"):
        deliver(client_of(unreachable), {"resourceType": "Bundle", "entry": [entry]})


def test_resources_in_a_circle_need_a_transaction(ehr: Ehr, client_of: ClientOf) -> None:
    ehr.states_transaction = False
    circle = [
        {"fullUrl": REPORT, "resource": {"resourceType": "Observation", **ours("a"), "x": {"reference": DEVICE}}},
        {"fullUrl": DEVICE, "resource": {"resourceType": "Observation", **ours("b"), "x": {"reference": REPORT}}},
    ]
    with pytest.raises(ValueError, match="circle"):
        deliver(client_of(ehr), {"resourceType": "Bundle", "entry": circle})
