"""What an EHR tells of no patient is asked once a minute, and what it tells of one each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cds.ehr.directory import Directory
from cds.ehr.fhir_client import FhirClient
from cds.errors import Missing
from cds.registration import Registration

ClientOf = Callable[..., FhirClient]


class Ehr:
    """Has whatever is asked for, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        type_, id_ = request.url.path.split("/")[-2:]
        self.asked.append(f"{type_}/{id_}")
        return httpx.Response(self.status, json={"resourceType": type_, "id": id_})


@pytest.fixture
def ehr() -> Ehr:
    return Ehr()


def read(known: Directory, client: FhirClient, type_: str, id_: str) -> dict[str, Any]:
    return known.at_hand(client, type_, id_) or known.read(client, type_, id_)


def test_an_endpoint_is_asked_for_once(ehr: Ehr, client_of: ClientOf) -> None:
    known, client = Directory(), client_of(ehr)
    assert read(known, client, "Endpoint", "e1") == read(known, client, "Endpoint", "e1")
    assert ehr.asked == ["Endpoint/e1"]


def test_a_relative_is_asked_for_each_time(ehr: Ehr, client_of: ClientOf) -> None:
    known, client = Directory(), client_of(ehr)
    read(known, client, "RelatedPerson", "r1")
    read(known, client, "RelatedPerson", "r1")
    assert ehr.asked == ["RelatedPerson/r1"] * 2


def test_another_tenant_asks_for_itself(ehr: Ehr, client_of: ClientOf, registration: Registration) -> None:
    known, client = Directory(), client_of(ehr)
    read(known, client, "Endpoint", "e1")
    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        others = FhirClient(http, replace(registration, tenant="other"), client.base.url)
        assert known.at_hand(others, "Endpoint", "e1") is None


def test_a_failure_is_not_remembered(ehr: Ehr, client_of: ClientOf) -> None:
    known, client = Directory(), client_of(ehr)
    ehr.status = 404
    with pytest.raises(Missing):
        read(known, client, "Endpoint", "e1")
    ehr.status = 200
    assert read(known, client, "Endpoint", "e1")["id"] == "e1"


def test_it_is_asked_for_anew_when_a_minute_is_over(ehr: Ehr, client_of: ClientOf) -> None:
    now = iter([60.0, 60.0, 119.9, 120.0, 120.0])
    known, client = Directory(clock=lambda: next(now)), client_of(ehr)
    for _ in range(3):
        read(known, client, "Endpoint", "e1")
    assert ehr.asked == ["Endpoint/e1"] * 2
