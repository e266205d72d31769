"""search by GET and POST (FHIR R4, "Search"): a searchset Bundle with paging links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from cds.sandbox.bearer import access
from cds.sandbox.fhir.authorization import compartment_matches, permit, require
from cds.sandbox.fhir.representation import check_accept, check_type, fhir_json, preference
from cds.sandbox.parts import sandbox
from cds.sandbox.query import Query, parse
from cds.sandbox.records import Found


def search(of_type: str) -> Response:
    """The page asked for. An unknown parameter is passed over, or refused with ``Prefer: handling=strict``."""
    check_type(of_type)
    require("search", of_type)
    check_accept()
    pairs = [*request.args.items(multi=True), *request.form.items(multi=True)]
    query = parse(of_type, pairs, strict=preference("handling") == "strict", base=sandbox().fhir_base)
    found = sandbox().records.search(replace(query, matches=query.matches + compartment_matches(of_type)))
    matches = [_entry(resource, "match") for resource in found.resources]
    included = [_entry(resource, "include") for resource in _endpoints(query, found)]
    return fhir_json(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": found.total,
            "link": _links(query, found.total),
            "entry": matches + included,
        }
    )


def _entry(resource: dict[str, Any], mode: str) -> dict[str, Any]:
    place = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": f"{sandbox().fhir_base}/{place}", "resource": resource, "search": {"mode": mode}}


def _links(query: Query, total: int) -> list[dict[str, str]]:
    links = [{"relation": "self", "url": _url(query, query.offset)}]
    if query.count and query.offset + query.count < total:
        links.append({"relation": "next", "url": _url(query, query.offset + query.count)})
    if query.count and query.offset:
        links.append({"relation": "previous", "url": _url(query, max(0, query.offset - query.count))})
    return links


def _url(query: Query, offset: int) -> str:
    pairs = [*query.applied, ("_count", str(query.count))]
    if offset:
        pairs.append(("_offset", str(offset)))
    return f"{sandbox().fhir_base}/{query.resource_type}?{urlencode(pairs)}"


def _endpoints(query: Query, found: Found) -> list[dict[str, Any]]:
    """The Endpoints that the studies found refer to, each once (``_include=ImagingStudy:endpoint``)."""
    if query.resource_type != "ImagingStudy" or not query.include or not access().allows("Endpoint", "read"):
        return []
    references = {
        reference.get("reference", "").removeprefix(f"{sandbox().fhir_base}/")
        for study in found.resources
        for holder in (study, *study.get("series", []))
        for reference in holder.get("endpoint", [])
    }
    ids = sorted(one.removeprefix("Endpoint/") for one in references if one.startswith("Endpoint/"))
    endpoints = [endpoint for id in ids if (endpoint := sandbox().records.find("Endpoint", id))]
    for endpoint in endpoints:
        permit("read", endpoint)
    return endpoints
