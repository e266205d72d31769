"""A database as version 0001 of the schema left it, with rows of two tenants."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from cds.audit import chain
from cds.store import migrate
from cds.store.database import Database
from cds.store.embedded.postgres import APPLICATION
from cds.store.sealing import Keyring
from tests.master import MASTER

TENANTS = ("general", "st-elsewhere")
FHIR = "https://ehr.example/fhir"
PRESCREEN, CARD = UUID(int=1), UUID(int=2)
AT = "2026-01-02T03:04:05+00:00"
SECRET = "Patient/mrn-4711"
REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r-1",
    "status": "preliminary",
    "subject": {"reference": SECRET},
    "result": [{"reference": "Observation/o-1"}],
}
PROVENANCE = {
    "resourceType": "Provenance",
    "id": "p-1",
    "target": [{"reference": "DiagnosticReport/r-1"}],
    "entity": [{"what": {"reference": "ImagingStudy/s-1"}}],
}
DEVICE = {"resourceType": "Device", "id": "d-1", "identifier": [{"value": "i"}]}


def filled(connection: psycopg.Connection, tenant: str) -> None:
    """As version 0001 wrote."""
    connection.execute("SELECT set_config('cds.tenant', %s, true)", (tenant,))
    body = Jsonb({"patient": SECRET, "tenant": tenant})

    def insert(table: str, columns: str, *values: object) -> None:
        marks = ", ".join(["%s"] * len(values))
        connection.execute(f"INSERT INTO {table} (tenant, {columns}) VALUES (%s, {marks})", (tenant, *values))

    insert("score", "key, kind, body", "k", "image", body)
    insert("prescreen", "id, key, patient, fhir_server, body", PRESCREEN, "k", SECRET, FHIR, body)
    for held, *whose in ((REPORT, SECRET, FHIR), (PROVENANCE, SECRET, FHIR), (DEVICE, None, None)):
        resource = (held["resourceType"], held["id"], 1, Jsonb(held), AT)
        insert("resource", "type, id, version, body, last_updated, patient, fhir_server", *resource, *whose)
        insert("resource_version", "type, id, version, body, last_updated", *resource)
    insert("card", "uuid, prescreen_id, service, topic, body", CARD, PRESCREEN, "s", "finding", body)
    insert("feedback", "card, outcome, outcome_timestamp, body", CARD, "accepted", AT, body)
    insert("outbox", "kind, destination, idempotency_key, payload", "k", FHIR, "key", body)
    audited(connection, tenant, 3)


def audited(connection: psycopg.Connection, tenant: str, count: int) -> None:
    previous = bytes(32)
    for seq in range(1, count + 1):
        id = str(uuid4())
        about = [{"what": {"reference": SECRET}}]
        event = {"resourceType": "AuditEvent", "id": id, "recorded": AT, "entity": about, "outcomeDesc": "é"}
        line = chain.canonical(event)
        digest = chain.link(previous, tenant, seq, line.encode())
        connection.execute(
            "INSERT INTO audit_event (tenant, seq, id, recorded, previous_hash, hash, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (tenant, seq, id, AT, previous, digest, line),
        )
        previous = digest
    connection.execute("INSERT INTO audit_head VALUES (%s, %s, %s)", (tenant, count, previous))


def upgraded(urls: tuple[str, str]) -> Database:
    admin, app = urls
    migrate.upgrade(admin, APPLICATION, MASTER)
    assert migrate.pending(app) == []
    return Database(app, Keyring(MASTER))
