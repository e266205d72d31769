"""Bulk export over HTTP, and the groups that it can be about (FHIR Bulk Data Access 2.0)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from cds.audit import balp
from cds.audit.balp import Event, Exchange
from cds.errors import RequestError
from cds.fhir import export, groups
from cds.fhir.access import Access
from cds.fhir.endpoint import Endpoint, asked
from cds.fhir.representation import fhir_json, preference, strict
from cds.operation_outcome import outcome
from cds.registration import Registration
from cds.store.database import Connection


def routes(bp: Blueprint, endpoint: Endpoint) -> None:
    """Bulk export, and the groups that it can be about."""

    def kick_off(group_id: str | None) -> Response:
        def start(connection: Connection, access: Access, exchange: Exchange) -> tuple[str, list[Event]]:
            if preference("respond-async") != "true":
                raise RequestError("$export needs Prefer: respond-async")
            group = groups.find(endpoint.registrations, access, group_id) if group_id else None
            wanted = export.parse(request.args.to_dict(), access, strict=strict())
            url = f"{endpoint.base}/{asked().removeprefix('GET ')}"
            id = export.start(connection, access, wanted, url, group)
            return str(id), [balp.bulk_export(exchange, "asked for", asked())]

        id = endpoint.within(start)
        return Response(status=202, headers={"Content-Location": f"{endpoint.base}/export/{id}"})

    @bp.get("/$export")
    def system() -> Response:
        return kick_off(None)

    @bp.get("/Group/<id>/$export")
    def group(id: str) -> Response:
        return kick_off(id)

    @bp.get("/export/<id>")
    def status(id: str) -> Response:
        def look(connection: Connection, access: Access, exchange: Exchange) -> tuple[Response, list[Event]]:
            held_export = export.get(connection, access, id)
            if held_export.failed:
                return fhir_json(outcome("fatal", "exception", held_export.failed), 500), []
            if held_export.done_at is None:
                return Response(status=202, headers={"X-Progress": "in progress", "Retry-After": "2"}), []
            response = fhir_json(export.manifest(connection, access, held_export, endpoint.base))
            response.mimetype, response.expires = "application/json", held_export.expires_at
            return response, []

        return endpoint.within(look)

    @bp.delete("/export/<id>")
    def delete(id: str) -> Response:
        def forget(connection: Connection, access: Access, exchange: Exchange) -> tuple[None, list[Event]]:
            export.forget(connection, access, id)
            return None, [balp.bulk_export(exchange, "deleted", asked())]

        endpoint.within(forget)
        return Response(status=202)

    @bp.get("/export/<id>/<int:number>")
    def file(id: str, number: int) -> Response:
        def fetch(connection: Connection, access: Access, exchange: Exchange) -> tuple[bytes, list[Event]]:
            held_export = export.get(connection, access, id)
            lines = export.content(connection, access, held_export, number)
            return lines, [balp.bulk_export(exchange, "fetched", f"GET {held_export.request}")]

        return Response(endpoint.within(fetch), content_type=export.NDJSON)

    @bp.get("/Group")
    def all_groups() -> Response:
        def look(
            connection: Connection, access: Access, exchange: Exchange
        ) -> tuple[list[Registration], list[Event]]:
            return groups.of(endpoint.registrations, access), [balp.query(exchange, asked())]

        entries = [groups.resource(one) for one in endpoint.within(look)]
        return fhir_json(
            {
                "resourceType": "Bundle",
                "type": "searchset",
                "total": len(entries),
                "link": [{"relation": "self", "url": f"{endpoint.base}/Group"}],
                "entry": [
                    {"fullUrl": f"{endpoint.base}/Group/{one['id']}", "resource": one, "search": {"mode": "match"}}
                    for one in entries
                ],
            }
        )

    @bp.get("/Group/<id>")
    def one_group(id: str) -> Response:
        def look(connection: Connection, access: Access, exchange: Exchange) -> tuple[Registration, list[Event]]:
            groups.of(endpoint.registrations, access)
            found = groups.find(endpoint.registrations, access, id)
            return found, [balp.read(exchange, f"Group/{id}")]

        return fhir_json(groups.resource(endpoint.within(look)))
