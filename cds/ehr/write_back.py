"""Results into the EHR's record: a Bundle of DiagnosticReport, Observations, Device and Provenance, once.

Delivering the same Bundle again creates nothing. What has an identifier of ours is created conditionally (FHIR R4,
"Conditional create"); a Provenance, which has none, belongs to its targets and is looked for by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any
from urllib.parse import quote

from cds.ehr.datatypes import (
    Resource,
    element,
    elements,
    instance,
    local_reference,
    reference,
    references,
    relative_reference,
    string,
)
from cds.ehr.fhir_client import FhirClient
from cds.errors import BadAnswer, UpstreamError

SCOPES = tuple(f"system/{type_}.crs" for type_ in ("DiagnosticReport", "Observation", "Device", "Provenance"))
"""What :func:`deliver` needs: create, and read and search to know again what is there."""
AMENDING = tuple(scope.removesuffix("crs") + "crus" for scope in SCOPES)
"""What :func:`amend` needs: update too."""
SAYING = ("system/Observation.crus", "system/DiagnosticReport.rs")
"""What :func:`say` needs."""

MAX_PROVENANCES = 50

_NO_TRANSACTION = frozenset({400, 403, 404, 405, 409, 412, 422, 501})
"""What servers answer that take no transaction, or not this one; each create then says what is wrong."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where everything is in the EHR: ``Type/id`` by the Bundle's ``fullUrl``."""

    references: Mapping[str, str] = field(default_factory=dict)

    def of_type(self, type_: str) -> tuple[str, ...]:
        """The references of one type: ``DiagnosticReport/{id}``."""
        return tuple(held for held in self.references.values() if held.startswith(f"{type_}/"))


def deliver(client: FhirClient, bundle: Resource) -> Delivered:
    """Bring every entry of ``bundle`` into the EHR's record, each once, however often this is called.

    As one transaction where the EHR takes one and has none of it yet, else one by one, what is referred to first.
    Raises :class:`~cds.errors.UpstreamError`; another call then takes up what is lacking.
    """
    entries = _entries(bundle)
    if not _already_there(client, entries) and _takes_transactions(client):
        try:
            return _as_transaction(client, entries)
        except UpstreamError as refusal:
            if refusal.status not in _NO_TRANSACTION:
                raise
    return _one_by_one(client, entries)


def amend(client: FhirClient, bundle: Resource) -> Delivered:
    """Bring what the EHR holds of ``bundle`` to what it says now, and say by whom: its Provenances are added.

    What the EHR does not hold is not created: it never heard of what is taken back. Calling this again changes
    nothing more. Raises :class:`~cds.errors.UpstreamError`.
    """
    entries = _entries(bundle)
    places = {url: _find(client, resource) for url, resource in entries.items() if identity(resource)}
    known = {url: place for url, place in places.items() if place}
    for full_url in _safe_order({url: entries[url] for url in known}):
        amended = rewritten(entries[full_url], known)
        client.update({**amended, "id": known[full_url].partition("/")[2]})
    if not known:
        return Delivered()
    return Delivered(known | {url: _told(client, entries[url], known) for url in entries.keys() - places.keys()})


def say(client: FhirClient, bundle: Resource) -> Delivered:
    """Bring what a clinician says of results into the EHR's record, or what it holds of that to what it says now.

    What it is about is named by our identifier, and also by its place in the EHR where it has one. Calling this
    again changes nothing more. Raises :class:`~cds.errors.UpstreamError`.
    """
    return Delivered({url: _said(client, resource) for url, resource in _entries(bundle).items()})


def _said(client: FhirClient, resource: Resource) -> str:
    about = {**resource, "focus": [_placed(client, focus) for focus in elements(resource, "focus")]}
    if not (known := _find(client, resource)):
        return client.create(about, if_none_exist=identity(resource))
    client.update({**about, "id": known.partition("/")[2]})
    return known


def _placed(client: FhirClient, named: Resource) -> Resource:
    """A reference with an identifier of ours, led to where the EHR has what it names."""
    place = client.find(string(named, "type"), identity(named))
    by_identifier = {name: value for name, value in named.items() if name != "reference"}
    return {**by_identifier, "reference": place} if place else by_identifier


def _told(client: FhirClient, provenance: Resource, places: Mapping[str, str]) -> str:
    """Where the EHR holds a Provenance of what it holds."""
    targets = [target for target in elements(provenance, "target") if string(target, "reference") in places]
    of_these = rewritten({**provenance, "target": targets}, places)
    return _find(client, of_these) or client.create(of_these)


def _entries(bundle: Resource) -> dict[str, Resource]:
    """Every resource by its ``fullUrl``; raises ValueError where one could not be delivered once only."""
    entries = {string(entry, "fullUrl"): element(entry, "resource") for entry in elements(bundle, "entry")}
    for full_url, resource in entries.items():
        if not full_url:
            raise ValueError("an entry has no fullUrl")
        if not identity(resource) and not (_type(resource) == "Provenance" and references(resource, "target")):
            raise ValueError(f"a {_type(resource)} has neither an identifier nor a target to know it by")
    return entries


def identity(resource: Resource) -> str:
    """The search query that finds ``resource`` by our identifier; empty where it has none."""
    # Identifiers are logically one for all: in R4 some types repeat the element, others do not.
    identifier = next(iter(elements(resource, "identifier")), element(resource, "identifier"))
    system, value = string(identifier, "system"), string(identifier, "value")
    return f"identifier={_escaped(system)}%7C{_escaped(value)}" if system and value else ""


def _escaped(value: str) -> str:
    """A search parameter's value, for the search (FHIR R4, "Escaping Search Parameters") and for the URL."""
    return quote(re.sub(r"([\\$,|])", r"\\\1", value), safe=":/")


def _already_there(client: FhirClient, entries: Mapping[str, Resource]) -> bool:
    reports = (r for r in entries.values() if string(r, "resourceType") == "DiagnosticReport")
    return any(client.find("DiagnosticReport", identity(report)) for report in reports if identity(report))


def _takes_transactions(client: FhirClient) -> bool:
    """What the CapabilityStatement says (``rest.interaction``); yes where it cannot be had."""
    try:
        rest = elements(client.capabilities(), "rest")
    except UpstreamError:
        return True
    return any(string(i, "code") == "transaction" for mode in rest for i in elements(mode, "interaction"))


def _as_transaction(client: FhirClient, entries: Mapping[str, Resource]) -> Delivered:
    requests = [_request(full_url, resource) for full_url, resource in entries.items()]
    answer = client.transaction({"resourceType": "Bundle", "type": "transaction", "entry": requests})
    responses = [element(entry, "response") for entry in elements(answer, "entry")]
    if len(responses) != len(entries) or not all(string(r, "status").startswith("20") for r in responses):
        raise BadAnswer("a transaction was not answered entry by entry")
    found = {}
    for (full_url, resource), response in zip(entries.items(), responses, strict=True):
        place = instance(string(response, "location")) or _find(client, resource)
        if place is None:
            raise BadAnswer("a transaction was answered without saying where a resource is")
        found[full_url] = place
    return Delivered(found)


def _request(full_url: str, resource: Resource) -> Resource:
    request = {"method": "POST", "url": _type(resource)}
    if query := identity(resource):
        request["ifNoneExist"] = query
    return {"fullUrl": full_url, "resource": resource, "request": request}


def _one_by_one(client: FhirClient, entries: Mapping[str, Resource]) -> Delivered:
    places: dict[str, str] = {}
    for full_url in _safe_order(entries):
        resource = rewritten(entries[full_url], places)
        # Looked for first: a conditional create fails where two deliveries at once once made one thing twice.
        known = _find(client, resource)
        places[full_url] = known or client.create(resource, if_none_exist=identity(resource))
    return Delivered(places)


def _safe_order(entries: Mapping[str, Resource]) -> list[str]:
    """What is referred to before what refers to it."""
    needs = {url: set(_references(resource)) & entries.keys() - {url} for url, resource in entries.items()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError:
        raise ValueError("the results refer to each other in a circle") from None


def _references(value: Any) -> Iterator[str]:
    """Every literal reference within a resource."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def rewritten(value: Any, places: Mapping[str, str]) -> Any:
    """A copy with every reference to a ``fullUrl`` of the Bundle led to its place in the EHR."""
    if isinstance(value, dict):
        copy = {key: rewritten(inner, places) for key, inner in value.items()}
        if isinstance(copy.get("reference"), str):
            copy["reference"] = places.get(copy["reference"], copy["reference"])
        return copy
    return [rewritten(inner, places) for inner in value] if isinstance(value, list) else value


def _find(client: FhirClient, resource: Resource) -> str | None:
    """``Type/id`` of what the EHR holds already: by identifier, a Provenance by its targets and agents."""
    if query := identity(resource):
        return client.find(_type(resource), query)
    held = client.search("Provenance", {"target": references(resource, "target")[0]}, MAX_PROVENANCES)
    alike = (provenance for provenance in held if _activity(client, provenance) == _activity(client, resource))
    return next(map(local_reference, alike), None)


def _activity(client: FhirClient, provenance: Resource) -> tuple[frozenset[str], frozenset[str]]:
    """Targets and agents, without versions and the server's name, which servers add."""
    agents = (reference(agent, "who") for agent in elements(provenance, "agent"))
    return _plain(client, references(provenance, "target")), _plain(client, agents)


def _plain(client: FhirClient, named: Iterable[str]) -> frozenset[str]:
    on_server = (relative_reference(name.removeprefix(f"{client.base.url}/")) for name in named)
    return frozenset("/".join(found) for found in on_server if found)


def _type(resource: Resource) -> str:
    return string(resource, "resourceType")
