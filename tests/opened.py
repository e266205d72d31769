"""What stands in the database, opened."""

from typing import Any

import orjson
from psycopg import sql

from cds.audit import chain
from cds.store.database import Connection
from cds.store.sealed_tables import SealedTable


def events(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """Every AuditEvent of the tenant, in the order of the chain."""
    return [chain.event_of(row.line) for row in chain.rows(connection, tenant) if row.line]


def bodies(connection: Connection, table: SealedTable) -> list[dict[str, Any]]:
    """Every body of the connection's tenant."""
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    rows = connection.execute(
        sql.SQL("SELECT {}, body FROM {} ORDER BY {}").format(key, sql.Identifier(table.name), key)
    ).fetchall()
    texts = [connection.sealer.open(table.place(row[:-1]), row[-1]) for row in rows]
    return [chain.event_of(text) if table.name == "audit_event" else orjson.loads(text) for text in texts]
