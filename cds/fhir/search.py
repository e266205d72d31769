"""The search interaction (FHIR R4, "search"): a page of matches, what they lead to, and the way to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cds.errors import Forbidden
from cds.fhir import held
from cds.fhir.access import Access
from cds.fhir.pages import Page, Pages
from cds.fhir.query import INCLUDES, Search
from cds.fhir.summary import reduced
from cds.operation_outcome import outcome
from cds.store.database import Connection
from cds.store.search import find
from cds.store.search.find import AnyOf, Hit, Place, Query
from cds.store.search.parameters import PARAMETERS, elements
from cds.store.search.terms import term

MAX_REVINCLUDED = 1000

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A page: the resources that match, and those that came along."""

    matches: list[Resource]
    included: list[Resource]
    total: int | None = None
    end: Place | None = None
    """Where the next page begins; None on the last."""


def search(connection: Connection, access: Access, wanted: Search) -> Found:
    """Within the compartments that the token opens; what it does not open is not included."""
    tenant = access.tenant
    total = find.count(connection, tenant, wanted.query) if wanted.counts_only or wanted.total else None
    if wanted.counts_only:
        return Found([], [], total)
    hits = find.find(connection, tenant, wanted.query, wanted.count + 1)
    end = hits[wanted.count - 1].place if len(hits) > wanted.count else None
    matches = _bodies(connection, tenant, hits[: wanted.count])
    included = _included(connection, access, wanted, matches)
    return Found(matches, included, total, end)


def bundle(found: Found, wanted: Search, base: str, pages: Pages, owner: str) -> Resource:
    """The answer as a Bundle of type searchset."""
    type = wanted.query.type
    links = [{"relation": "self", "url": f"{base}/{type}?{urlencode(wanted.applied)}".rstrip("?")}]
    if found.end:
        token = pages.issue(Page(type, wanted.applied, found.end), owner)
        links.append({"relation": "next", "url": f"{base}/{type}?_page={token}"})
    entries = [_entry(resource, "match", base, wanted) for resource in found.matches]
    entries += [_entry(resource, "include", base, wanted) for resource in found.included]
    if wanted.ignored:
        # FHIR R4 §3.1.1.6, handling=lenient.
        passed_over = (f"passed over: {what}" for what in wanted.ignored)
        told = outcome("warning", "not-supported", *passed_over)
        entries.append({"resource": told, "search": {"mode": "outcome"}})
    answer: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if found.total is not None:
        answer["total"] = found.total
    return answer | {"link": links} | ({"entry": entries} if entries else {})


def patients(connection: Connection, tenant: str, found: Found) -> set[str]:
    """Whom the page is about. Of a page of AuditEvents nobody: that the audit trail was read is what is told."""
    about = (
        held.patient_of(connection, tenant, resource)
        for resource in (*found.matches, *found.included)
        if resource["resourceType"] != "AuditEvent"
    )
    return {patient for patient in about if patient}


def _entry(resource: Resource, mode: str, base: str, wanted: Search) -> Resource:
    return {
        "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
        "resource": reduced(resource, wanted.summary, wanted.elements if mode == "match" else ()),
        "search": {"mode": mode},
    }


def _bodies(connection: Connection, tenant: str, hits: Iterable[Hit]) -> list[Resource]:
    """In the order of the hits. What has been purged since is left out."""
    by_type: dict[str, list[str]] = {}
    ordered = list(hits)
    for hit in ordered:
        by_type.setdefault(hit.type, []).append(hit.id)
    bodies = {
        (type, id): body
        for type, ids in by_type.items()
        for id, body in held.many(connection, tenant, type, ids).items()
    }
    return [bodies[hit.type, hit.id] for hit in ordered if (hit.type, hit.id) in bodies]


def _included(connection: Connection, access: Access, wanted: Search, matches: list[Resource]) -> list[Resource]:
    """Each once, and none that is a match already."""
    seen = {(resource["resourceType"], resource["id"]) for resource in matches}
    included = []
    for include in wanted.includes:
        for type, ids in _referred(matches, include).items():
            included += _allowed(connection, access, Query(type, ids=tuple(sorted(ids))), len(ids))
    for include in wanted.revincludes:
        if matches:
            included += _allowed(connection, access, _referring(matches, include), MAX_REVINCLUDED)
    found = []
    for resource in included:
        key = resource["resourceType"], resource["id"]
        if key not in seen:
            seen.add(key)
            found.append(resource)
    return found


def _referred(matches: list[Resource], include: str) -> dict[str, set[str]]:
    """What the parameter of ``include`` points to among our own resources: ids by type."""
    source, _, name = include.partition(":")
    found: dict[str, set[str]] = {}
    for resource in matches:
        for path in PARAMETERS[source][name].paths:
            for element in elements(resource, path):
                type, _, id = element.get("reference", "").partition("/")
                if type in INCLUDES[include]:
                    found.setdefault(type, set()).add(id)
    return found


def _referring(matches: list[Resource], include: str) -> Query:
    """What points to the matches by the parameter of ``include``."""
    source, _, name = include.partition(":")
    terms = tuple(term(source, name, f"{resource['resourceType']}/{resource['id']}") for resource in matches)
    return Query(source, words=(AnyOf(terms, selective=True),))


def _allowed(connection: Connection, access: Access, query: Query, limit: int) -> list[Resource]:
    try:
        compartments = access.compartments(query.type, "search")
    except Forbidden:
        return []
    within = Query(query.type, query.ids, compartments, query.words)
    return _bodies(connection, access.tenant, find.find(connection, access.tenant, within, limit))
