"""``cds keys rotate``: new keys for what is sealed already, while the service runs.

What was begun and cut short goes on with the next call. A key that was replaced stays for a while, since another
process may still seal with it; the first rotation after that seals anew what it sealed late, and removes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cds.store.database import Connection, Database
from cds.store.master_key import MasterKey
from cds.store.sealed_tables import (
    SEALED_TABLES,
    Key,
    Rewriting,
    SealedTable,
    allow_sealing,
    rewrite_batch,
)
from cds.store.sealing import SEAL, Sealer, add, rewrapped

STAYS_FOR = timedelta(hours=1)
"""Longer than any transaction that seals: what was retired before it, nobody seals with any more."""


def rotate(owner: Database, master: MasterKey, say: Callable[[str], None]) -> None:
    """Wrap every tenant's keys anew, replace the one that seals, and seal every row with the new one."""
    for tenant in owner.tenants():
        with owner.transaction(tenant) as connection:
            _rewrap(connection, tenant, master)
            _replace(connection, tenant, master)
        rows = sum(_reseal(owner, tenant, table) for table in SEALED_TABLES)
        with owner.transaction(tenant) as connection:
            _tidy(connection, tenant)
        say(f"{tenant}: {rows} rows sealed anew")


def rewrap(owner: Database, master: MasterKey) -> None:
    """Wrap every tenant's keys by the first master key; no row is touched."""
    for tenant in owner.tenants():
        with owner.transaction(tenant) as connection:
            _rewrap(connection, tenant, master)


def _rewrap(connection: Connection, tenant: str, master: MasterKey) -> None:
    held = connection.execute(
        "SELECT id, purpose, wrapped FROM data_key WHERE tenant = %s FOR UPDATE", (tenant,)
    ).fetchall()
    for id, purpose, wrapped in held:
        connection.execute(
            "UPDATE data_key SET wrapped = %s WHERE tenant = %s AND id = %s",
            (rewrapped(master, tenant, purpose, wrapped), tenant, id),
        )


def _replace(connection: Connection, tenant: str, master: MasterKey) -> None:
    """A new key to seal with, unless the last one's rotation was cut short."""
    unfinished = connection.execute(
        "SELECT 1 FROM data_key WHERE tenant = %s AND retired_at IS NOT NULL AND emptied_at IS NULL", (tenant,)
    ).fetchone()
    if unfinished is None:
        connection.execute(
            "UPDATE data_key SET retired_at = now() WHERE tenant = %s AND purpose = %s AND retired_at IS NULL",
            (tenant, SEAL),
        )
        add(connection, master, tenant, SEAL)


def _reseal(owner: Database, tenant: str, table: SealedTable) -> int:
    rows = 0
    last: Key | None = ()
    while last is not None:
        with owner.transaction(tenant) as connection:
            allow_sealing(connection)
            changed, last = rewrite_batch(connection, tenant, table, _resealing(table, connection.sealer), last)
            rows += changed
    return rows


def _resealing(table: SealedTable, sealer: Sealer) -> Rewriting:
    return Rewriting(
        "body",
        "substr(body, 2, 4) <> %s",
        (sealer.current.to_bytes(4, "big"),),
        "body = %s",
        lambda key, row: (sealer.seal(table.place(key), sealer.open(table.place(key), row[0])),),
    )


def _tidy(connection: Connection, tenant: str) -> None:
    """Every row was looked at since: what was retired long before seals nothing any more."""
    connection.execute(
        "DELETE FROM data_key WHERE tenant = %s AND retired_at < now() - %s::interval", (tenant, STAYS_FOR)
    )
    connection.execute(
        "UPDATE data_key SET emptied_at = now() WHERE tenant = %s AND retired_at IS NOT NULL", (tenant,)
    )
