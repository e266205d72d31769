"""The EHR's resources, every version of them, in one SQLite file.

What was kept is there after a kill -9.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from cds.errors import Unknown
from cds.sandbox import bundles
from cds.sandbox.database import Database
from cds.sandbox.index import Span, Word, rows
from cds.sandbox.query import Match, Query

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    key INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (type, id));
CREATE TABLE IF NOT EXISTS history (
    type TEXT, id TEXT, version INTEGER, body BLOB NOT NULL, PRIMARY KEY (type, id, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS word (
    type TEXT, name TEXT, value TEXT, system TEXT, key INTEGER,
    PRIMARY KEY (type, name, value, system, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS word_of ON word (key);
CREATE TABLE IF NOT EXISTS span (
    type TEXT, name TEXT, low TEXT, high TEXT, key INTEGER,
    PRIMARY KEY (type, name, low, high, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS span_of ON span (key);
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search: how many match in all, and those of this page."""

    total: int
    resources: tuple[dict[str, Any], ...]


class Records:
    """The store. Resources are plain dicts; ``id`` and ``meta`` are set here, the rest stays as it came."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA)

    def create(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Keep a new resource under a new id; a given ``id`` is not used (FHIR R4, "create")."""
        return self._put(resource | {"id": str(uuid.uuid4())})

    def update(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Keep the next version of a resource, the first where its id is new ("update as create")."""
        return self._put(resource)

    def read(self, resource_type: str, id: str) -> dict[str, Any]:
        """The current version; :class:`Unknown` where there is none."""
        sql = "SELECT body FROM resource WHERE type = ? AND id = ?"
        return self._one(sql, resource_type, id)

    def find(self, resource_type: str, id: str) -> dict[str, Any] | None:
        """The current version, or None."""
        try:
            return self.read(resource_type, id)
        except Unknown:
            return None

    def history_version(self, resource_type: str, id: str, version: str) -> dict[str, Any]:
        """One version as it was; :class:`Unknown` where there is none (FHIR R4, "vread")."""
        sql = "SELECT body FROM history WHERE type = ? AND id = ? AND version = ?"
        return self._one(sql, resource_type, id, version)

    def search(self, query: Query) -> Found:
        """The page that ``query`` asks for; what sorts equal is in the order of arrival."""
        where, bound = _where(query)
        order = ", ".join(_order(query))
        page = (
            f"SELECT body FROM resource r WHERE {where} ORDER BY {order} LIMIT {query.count} OFFSET {query.offset}"  # noqa: S608
        )
        connection = self._database.connection
        (total,) = connection.execute(f"SELECT count(*) FROM resource r WHERE {where}", bound).fetchone()  # noqa: S608
        return Found(total, tuple(orjson.loads(body) for (body,) in connection.execute(page, bound)))

    def transaction(self, bundle: dict[str, Any], rules: bundles.Rules = bundles.ANYTHING) -> dict[str, Any]:
        """Carry out a transaction (all or nothing) or batch Bundle within ``rules``; the response Bundle."""
        return bundles.execute(self, bundle, rules)

    def atomically(self) -> AbstractContextManager[object]:
        """All writes inside are kept together, or none if an exception leaves the block."""
        return self._database.atomically()

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    def _put(self, resource: dict[str, Any]) -> dict[str, Any]:
        of_type, id = resource["resourceType"], resource["id"]
        with self._database.atomically() as connection:
            held = connection.execute(
                "SELECT version FROM resource WHERE type = ? AND id = ?", (of_type, id)
            ).fetchone()
            version = held[0] + 1 if held else 1
            meta = {**resource.get("meta", {}), "versionId": str(version), "lastUpdated": _now()}
            kept = {"resourceType": of_type, "id": id, "meta": meta} | {
                name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")
            }
            row = (of_type, id, version, orjson.dumps(kept))
            connection.execute("INSERT INTO history VALUES (?, ?, ?, ?)", row)
            (key,) = connection.execute(
                "INSERT INTO resource (type, id, version, body) VALUES (?, ?, ?, ?) ON CONFLICT (type, id)"
                " DO UPDATE SET version = excluded.version, body = excluded.body RETURNING key",
                row,
            ).fetchone()
            self._index(key, kept)
        return kept

    def _index(self, key: int, resource: dict[str, Any]) -> None:
        connection, of_type = self._database.connection, resource["resourceType"]
        for table in ("word", "span"):
            connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608
        for row in rows(resource):
            match row:
                case Word(name, system, value):
                    values = ("word", (of_type, name, value, system, key))
                case Span(name, low, high):
                    values = ("span", (of_type, name, low, high, key))
            connection.execute(f"INSERT OR IGNORE INTO {values[0]} VALUES (?, ?, ?, ?, ?)", values[1])  # noqa: S608

    def _one(self, sql: str, resource_type: str, *key: str) -> dict[str, Any]:
        row = self._database.connection.execute(sql, (resource_type, *key)).fetchone()
        if row is None:
            raise Unknown(f"there is no such {resource_type}")
        resource: dict[str, Any] = orjson.loads(row[0])
        return resource


def _where(query: Query) -> tuple[str, dict[str, str]]:
    clauses, bound = ["r.type = :type"], {"type": query.resource_type}
    for number, match in enumerate(query.matches):
        clauses.append(_clause(match, f"m{number}_", bound))
    return " AND ".join(clauses), bound


def _clause(match: Match, prefix: str, bound: dict[str, str]) -> str:
    """SQL for one parameter; its values go into ``bound`` under names of their own."""
    tests = []
    for number, (test, values) in enumerate(match.tests):
        mine = f":{prefix}{number}_"
        bound |= {f"{mine[1:]}{name}": value for name, value in values.items()}
        tests.append(test.replace(":", mine))
    bound[f"{prefix}name"] = match.name
    return (
        f"r.key IN (SELECT key FROM {match.table} WHERE type = :type AND name = :{prefix}name"  # noqa: S608
        f" AND ({' OR '.join(tests)}))"
    )


def _order(query: Query) -> Iterator[str]:
    """Names come from our own table of parameters, never from the URL as it stands."""
    for name, descending in query.sort:
        edge, direction = ("max", "DESC") if descending else ("min", "ASC")
        for table, column in (("span", "low"), ("word", "value")):
            yield (
                f"(SELECT {edge}({column}) FROM {table} i WHERE i.key = r.key AND i.name = '{name}')"  # noqa: S608
                f" {direction} NULLS LAST"
            )
    yield "r.key"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
