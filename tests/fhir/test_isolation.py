"""Every route below ``/fhir``, as another tenant that knows every id: nothing comes out, and nothing changes.

Which routes there are is asked of the application: one that is added without standing here fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from cds.audit.trail import OnBehalf, Trail
from cds.fhir.query import INCLUDES
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.reporting.record import Record
from cds.reporting.withdrawal import withdraw
from cds.store import exports, resources
from cds.store.database import Database
from cds.store.search.parameters import OF_PATIENTS, PARAMETERS, elements, parameters
from cds.store.search.terms import values
from cds.store.valkey import Valkey
from cds.worker.export import Exporter
from tests.fhir.conftest import BASE, Client, Hospital, endpoint_of, registration, results, token
from tests.fhir.test_export import ASYNC
from tests.profiles.emitted import US

OPEN = {"/fhir/metadata", "/fhir/.well-known/smart-configuration"}
"""They say what is served, and whose tokens open it."""
CATCH_ALL = {"/fhir", "/fhir/<path:rest>"}


@dataclass
class Two:
    """Two hospitals, and all that there is to know of the first."""

    insider: Client
    stranger: Client
    ids: dict[str, list[str]]
    held: dict[str, dict[str, Any]]
    """One resource of each type."""
    export: str
    group: str
    page: str
    server: str
    database: Database
    tenant: str
    other: Registration
    shared: set[str] = field(default_factory=set)
    """Ids that the stranger's own resources have too."""

    def nothing(self, method: str, url: str, **sent: Any) -> int:
        """Ask as the stranger; the answer holds nothing that the question did not. Its status."""
        answer = self.stranger.open(method, url, **sent)
        said = answer.get_data(as_text=True)
        asked = f"{url} {sent}"
        known = {self.server, self.tenant, *(id for ids in self.ids.values() for id in ids)} - self.shared
        assert [word for word in known if word in said and word not in asked] == [], (url, said[:300])
        assert answer.status_code < 500, (url, said[:300])
        return answer.status_code


@pytest.fixture
def two(hospital: Hospital, database: Database, valkey: Valkey, keys: Keys) -> Two:
    other = registration(f"other-{hospital.tenant.rpartition('-')[2]}", "other")
    app = endpoint_of(Registrations([hospital.ehr, other]), database, valkey, keys)
    insider = Client(app.test_client(), token(hospital.ehr.issuer))
    given = [results(hospital.ehr, "ada"), results(hospital.ehr, "bob")]
    hospital.write(*given)
    withdraw(Record(database), hospital.tenant, given[1].id, "A drill.", Trail(US, OnBehalf()))
    with database.transaction(hospital.tenant) as connection:
        card = {"resourceType": "DocumentReference", "id": "card-of-ours", "status": "current"}
        resources.put(connection, hospital.tenant, card)
    export = _exported(insider, hospital)
    ids = {type: insider.found(f"{type}?_count=200") for type in PARAMETERS}
    first = insider.get("Observation?_count=1").get_json(force=True)
    (group,) = insider.get("Group").get_json(force=True)["entry"]
    return Two(
        insider=insider,
        stranger=Client(app.test_client(), token(other.issuer)),
        ids=ids,
        held={type: insider.get(f"{type}/{found[0]}").get_json(force=True) for type, found in ids.items()},
        export=export,
        group=group["resource"]["id"],
        page=next(link["url"] for link in first["link"] if link["relation"] == "next").partition("?")[2],
        server=hospital.ehr.fhir_servers[0],
        database=database,
        tenant=hospital.tenant,
        other=other,
    )


def _exported(insider: Client, hospital: Hospital) -> str:
    """A finished export: its status, below the base."""
    started = insider.get("$export", **ASYNC).headers["Content-Location"].removeprefix(f"{BASE}/")
    with hospital.database.transaction(hospital.tenant) as connection:
        waiting = exports.waiting(connection, hospital.tenant)
    for id in waiting:
        Exporter(hospital.database, Registrations([hospital.ehr])).export(hospital.tenant, str(id))
    return started


def test_there_is_something_of_every_type(two: Two) -> None:
    assert all(two.ids.values())


@pytest.mark.parametrize("type", PARAMETERS)
def test_read_vread_and_history(type: str, two: Two) -> None:
    for id in two.ids[type]:
        for url in (f"{type}/{id}", f"{type}/{id}/_history", f"{type}/{id}/_history/1"):
            assert two.nothing("GET", url) == 404


@pytest.mark.parametrize("type", PARAMETERS)
def test_search_by_every_parameter_with_every_value(type: str, two: Two) -> None:
    asked = [("_id", ",".join(two.ids[type][:50]))]
    for name, parameter in parameters(type).items():
        spelled = set(values(two.held[type], parameter)) if parameter.kind != "date" else set()
        asked += [(name, value) for value in spelled if not value.startswith(("identifier ", "exact "))]
    if type in OF_PATIENTS:
        asked += [("patient", "ada"), ("patient", f"{two.server}/Patient/ada"), ("patient", "Patient/ada")]
    own = set(two.stranger.found(f"{type}?_count=200"))
    assert own.isdisjoint(two.ids[type])
    for name, value in asked:
        url = f"{type}?{urlencode({name: value})}"
        assert two.nothing("GET", url) in (200, 400)
        form = {"data": urlencode({name: value}), "Content_Type": "application/x-www-form-urlencoded"}
        assert two.nothing("POST", f"{type}/_search", **form) in (200, 400)


@pytest.mark.parametrize("include", INCLUDES)
def test_nothing_comes_along(include: str, two: Two, hospital: Hospital) -> None:
    """Even where both have results of one model version, whose Device has the same id for both."""
    hospital.write(results(two.other, "ada"))
    two.shared = set(two.ids["Device"])
    for type in PARAMETERS:
        for way in ("_include", "_revinclude"):
            assert two.nothing("GET", f"{type}?{way}={quote(include)}&_count=200") == 200


def test_a_page_of_another_is_none(two: Two) -> None:
    assert two.insider.get(f"Observation?{two.page}").status_code == 200
    assert two.nothing("GET", f"Observation?{two.page}") == 400


def test_groups_and_their_export(two: Two) -> None:
    assert two.nothing("GET", "Group") == 200
    assert two.nothing("GET", f"Group/{two.group}") == 404
    assert two.nothing("GET", f"Group/{two.group}/$export", **ASYNC) == 404


def test_an_export(two: Two) -> None:
    assert two.nothing("GET", two.export) == 404
    assert two.nothing("GET", f"{two.export}/1") == 404
    assert two.nothing("DELETE", two.export) == 404
    assert two.insider.get(f"{two.export}/1").status_code == 200


def test_an_export_of_ones_own_holds_nothing_of_another(two: Two) -> None:
    own = two.stranger.get("$export", **ASYNC).headers["Content-Location"].removeprefix(f"{BASE}/")
    Exporter(two.database, Registrations([])).export(two.other.tenant, own.rpartition("/")[2])
    manifest = two.stranger.get(own).get_json(force=True)
    for output in manifest["output"]:
        two.nothing("GET", output["url"].removeprefix(f"{BASE}/"))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_is_changed(method: str, two: Two) -> None:
    for type, ids in two.ids.items():
        assert two.nothing(method, f"{type}/{ids[0]}", data="{}") == 405
        assert two.insider.get(f"{type}/{ids[0]}").get_json(force=True) == two.held[type]


def test_every_route_stands_here(hospital: Hospital) -> None:
    tested = {
        "/fhir/<type>",
        "/fhir/<type>/_search",
        "/fhir/<type>/<id>",
        "/fhir/<type>/<id>/_history",
        "/fhir/<type>/<id>/_history/<version>",
        "/fhir/Group",
        "/fhir/Group/<id>",
        "/fhir/Group/<id>/$export",
        "/fhir/$export",
        "/fhir/export/<id>",
        "/fhir/export/<id>/<int:number>",
    }
    routes = {rule.rule for rule in hospital.app.url_map.iter_rules() if rule.rule.startswith("/fhir")}
    assert routes == tested | OPEN | CATCH_ALL


def test_the_values_that_are_asked_for_are_those_that_are_found(two: Two) -> None:
    """Or the searches above would prove nothing."""
    report = two.held["DiagnosticReport"]
    (identifier,) = elements(report, "identifier")
    url = f"DiagnosticReport?identifier={quote(identifier['system'] + '|' + identifier['value'])}"
    assert two.insider.found(url) == [report["id"]]
