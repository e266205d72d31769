"""search by GET and by POST (FHIR R4, "search")."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from cds.audit.balp import Event, Exchange
from cds.errors import RequestError
from cds.fhir import held, query, search, trail
from cds.fhir.access import Access
from cds.fhir.endpoint import Endpoint
from cds.fhir.representation import check_form, fhir_json, strict
from cds.store.database import Connection

Resource = dict[str, Any]


def routes(bp: Blueprint, endpoint: Endpoint) -> None:
    """search, by GET and by POST."""

    def searching(type: str, pairs: list[tuple[str, str]]) -> Response:
        held.check_type(type)

        def find(connection: Connection, access: Access, exchange: Exchange) -> tuple[Resource, list[Event]]:
            given, place = tuple(pairs), None
            if token := dict(pairs).get("_page"):
                page = endpoint.pages.read(token, f"{access.tenant} {access.owner}")
                if page.type != type:
                    raise RequestError("_page is of another type")
                given, place = page.pairs, page.place
            wanted = query.parse(type, given, access, endpoint.base, strict=strict()).beginning_at(place)
            found = search.search(connection, access, wanted)
            bundle = search.bundle(found, wanted, endpoint.base, endpoint.pages, f"{access.tenant} {access.owner}")
            patients = set(wanted.patients) | search.patients(connection, access.tenant, found)
            asked = f"{request.method} {type}?{urlencode(given)}"
            return bundle, trail.searched(exchange, asked, patients)

        return fhir_json(endpoint.within(find))

    @bp.get("/<type>")
    def by_get(type: str) -> Response:
        return searching(type, list(request.args.items(multi=True)))

    @bp.post("/<type>/_search")
    def by_post(type: str) -> Response:
        check_form()
        pairs = [*request.args.items(multi=True), *request.form.items(multi=True)]
        return searching(type, pairs)
