"""read, vread and history (FHIR R4 §3.1.0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, request

from cds.audit.balp import Event, Exchange
from cds.errors import Unknown
from cds.fhir import held, trail
from cds.fhir.access import Access
from cds.fhir.endpoint import Endpoint
from cds.fhir.representation import fhir_json, one_resource
from cds.fhir.summary import reduced
from cds.store.database import Connection

Resource = dict[str, Any]
T = TypeVar("T")


def routes(bp: Blueprint, endpoint: Endpoint) -> None:
    """read, vread, history."""

    def reading(type: str, interaction: str, work: Callable[[Connection, str], T], id: str) -> T:
        held.check_name(type, id)

        def read(connection: Connection, access: Access, exchange: Exchange) -> tuple[T, list[Event]]:
            compartments = access.compartments(type, "read")
            current = held.one(connection, access.tenant, type, id)
            patient = held.patient_of(connection, access.tenant, current)
            if not _within(access, compartments, type, patient):
                raise Unknown(f"there is no such {type}")
            result = work(connection, access.tenant)
            return result, [trail.read(exchange, f"{type}/{id}", patient, interaction)]

        return endpoint.within(read)

    @bp.get("/<type>/<id>")
    def read(type: str, id: str) -> Response:
        whole = reading(type, "read", lambda connection, tenant: held.one(connection, tenant, type, id), id)
        summary, elements = request.args.get("_summary", "false"), request.args.get("_elements", "")
        part = reduced(whole, summary, [name for name in elements.split(",") if name])
        return one_resource(part, whole)

    @bp.get("/<type>/<id>/_history/<version>")
    def vread(type: str, id: str, version: str) -> Response:
        whole = reading(
            type, "vread", lambda connection, tenant: held.version(connection, tenant, type, id, version), id
        )
        return one_resource(whole, whole)

    @bp.get("/<type>/<id>/_history")
    def history(type: str, id: str) -> Response:
        versions = reading(type, "read", lambda connection, tenant: held.history(connection, tenant, type, id), id)
        return fhir_json(_history(versions, f"{endpoint.base}/{type}/{id}"))


def _within(access: Access, compartments: tuple[tuple[int, ...], ...], type: str, patient: str | None) -> bool:
    """Whether a resource about ``patient`` lies in each of the compartments."""
    return all(patient is not None and held.compartment(patient) in terms for terms in compartments)


def _history(versions: list[Resource], url: str) -> Resource:
    """A Bundle of type history (FHIR R4 §3.1.0.11): the first version was created, the others updated."""
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(versions),
        "link": [{"relation": "self", "url": f"{url}/_history"}],
        "entry": [
            {
                "fullUrl": url,
                "resource": version,
                "request": _written(version),
                "response": {
                    "status": "201 Created" if version["meta"]["versionId"] == "1" else "200 OK",
                    "etag": f'W/"{version["meta"]["versionId"]}"',
                    "lastModified": version["meta"]["lastUpdated"],
                },
            }
            for version in versions
        ],
    }


def _written(version: Resource) -> Resource:
    type, id = version["resourceType"], version["id"]
    if version["meta"]["versionId"] == "1":
        return {"method": "POST", "url": type}
    return {"method": "PUT", "url": f"{type}/{id}"}
