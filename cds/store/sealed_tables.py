"""Which tables hold sealed bodies, and how to rewrite them batch by batch beside a service that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from cds.store.sealing import Place

BATCH = 500
"""Rows of one transaction, whose writers wait for it."""

Key = tuple[Any, ...]
AnyConnection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with a sealed ``body``; ``key`` is the row's within its tenant, to which the body is bound."""

    name: str
    key: tuple[str, ...]

    def place(self, key: Key) -> Place:
        return (self.name, *key)


SCORE = SealedTable("score", ("key", "kind"))
PRESCREEN = SealedTable("prescreen", ("id",))
RESOURCE = SealedTable("resource", ("type", "id"))
RESOURCE_VERSION = SealedTable("resource_version", ("type", "id", "version"))
CARD = SealedTable("card", ("uuid",))
FEEDBACK = SealedTable("feedback", ("card", "outcome", "outcome_timestamp"))
OUTBOX = SealedTable("outbox", ("idempotency_key",))
AUDIT_EVENT = SealedTable("audit_event", ("seq",))
REVIEW = SealedTable("review", ("id",))

ONCE_PLAIN = (SCORE, PRESCREEN, RESOURCE, RESOURCE_VERSION, CARD, FEEDBACK, OUTBOX, AUDIT_EVENT)
"""Those of before sealing, whose bodies were plain once (:mod:`cds.store.plain`)."""
SEALED_TABLES = (*ONCE_PLAIN, REVIEW)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """``change`` turns a row's key and its ``columns`` into the values of ``assignments``, where ``condition``."""

    columns: LiteralString
    condition: LiteralString
    parameters: tuple[object, ...]
    assignments: LiteralString
    change: Callable[[Key, tuple[Any, ...]], tuple[object, ...]]


def rewrite_batch(
    connection: AnyConnection, tenant: str, table: SealedTable, rewriting: Rewriting, after: Key = ()
) -> tuple[int, Key | None]:
    """Rewrite the rows next ``after`` a key, in the order of their keys; how many, and the last key if any."""
    name, key = sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.key))
    marks = sql.SQL(", ").join([sql.Placeholder()] * len(table.key))
    beyond = sql.SQL("AND ({}) > ({})").format(key, marks) if after else sql.SQL("")
    select = sql.SQL("SELECT {}, {} FROM {} WHERE tenant = %s AND {} {} ORDER BY {} LIMIT {} FOR UPDATE").format(
        key, sql.SQL(rewriting.columns), name, sql.SQL(rewriting.condition), beyond, key, BATCH
    )
    rows = connection.execute(select, (tenant, *rewriting.parameters, *after)).fetchall()
    if not rows:
        return 0, None
    width = len(table.key)
    update = sql.SQL("UPDATE {} SET {} WHERE tenant = %s AND ({}) = ({})").format(
        name, sql.SQL(rewriting.assignments), key, marks
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            update, [(*rewriting.change(row[:width], row[width:]), tenant, *row[:width]) for row in rows]
        )
    return len(rows), rows[-1][:width]


def allow_sealing(connection: AnyConnection) -> None:
    """For this transaction, and where the role is the owner, rows that never change may be sealed anew."""
    connection.execute("SELECT set_config('cds.maintenance', 'seal', true)")
