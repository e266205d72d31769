"""Seals what a version before sealing wrote: the step of the migration between 0004 and 0005."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import LiteralString

from psycopg import sql

from cds.store.master_key import MasterKey
from cds.store.sealed_tables import (
    CARD,
    ONCE_PLAIN,
    OUTBOX,
    PRESCREEN,
    RESOURCE,
    AnyConnection,
    Key,
    Rewriting,
    SealedTable,
    allow_sealing,
    rewrite_batch,
)
from cds.store.sealing import Keyring, Sealer, provide, tenants

PLAIN_BODY: Mapping[SealedTable, LiteralString] = {
    OUTBOX: "payload::text",
    CARD: "(body || jsonb_build_object('topic', topic))::text",
}
"""What is sealed, where it is more than the column ``body``."""

Begin = Callable[[], AbstractContextManager[object]]


def seal_all(connection: AnyConnection, master: MasterKey) -> None:
    """Seal every row that is not, a batch to a transaction; the service of before may run and write meanwhile."""
    _seal(connection, master, connection.transaction)


def seal_the_rest(connection: AnyConnection, master: MasterKey) -> None:
    """Seal what was written since, in the caller's transaction, which ends all writing by other versions."""
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in ONCE_PLAIN)
    connection.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(names))
    _seal(connection, master, _same)


@contextmanager
def _same() -> Iterator[None]:
    yield


def _seal(connection: AnyConnection, master: MasterKey, begin: Begin) -> None:
    with begin():
        _find_tenants(connection)
    keyring = Keyring(master)
    for tenant in tenants(connection):
        with begin():
            connection.execute("SELECT begin_as(%s)", (tenant,))
            provide(connection, master, tenant)
        for table in ONCE_PLAIN:
            last: Key | None = ()
            while last is not None:
                with begin():
                    current = connection.execute("SELECT begin_as(%s)", (tenant,)).fetchone()
                    assert current is not None
                    allow_sealing(connection)
                    sealer = Sealer(keyring, connection, tenant, current[0])
                    _, last = rewrite_batch(connection, tenant, table, _sealing(table, sealer), last)


def _find_tenants(connection: AnyConnection) -> None:
    """The owner sees all rows for as long as row-level security is not forced."""
    for table in ONCE_PLAIN:
        name = sql.Identifier(table.name)
        connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name))
        connection.execute(
            sql.SQL("INSERT INTO tenant (name) SELECT DISTINCT tenant FROM {} ON CONFLICT DO NOTHING").format(name)
        )
        connection.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name))


def _sealing(table: SealedTable, sealer: Sealer) -> Rewriting:
    body = PLAIN_BODY.get(table, "body::text")
    if table in (PRESCREEN, RESOURCE):
        return Rewriting(
            f"{body}, patient",
            "sealed IS NULL",
            (),
            "sealed = %s, patient_index = %s",
            lambda key, row: (
                sealer.seal(table.place(key), row[0].encode()),
                None if row[1] is None else sealer.blind(row[1]),
            ),
        )
    return Rewriting(
        body,
        "sealed IS NULL",
        (),
        "sealed = %s",
        lambda key, row: (sealer.seal(table.place(key), row[0].encode()),),
    )
