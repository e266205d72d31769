"""A chain as a file that verifies by itself: NDJSON, a head, an event to a line, a signed checkpoint at the end.

An event's line holds all that its hash covers: ``salt`` and the ``event``, whose canonical JSON anyone can make
again. The checkpoint says how long the file must be and what its last hash is. Where the chain was purged, the
head has the checkpoint ``after`` which it goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from joserfc.jwk import KeySet

from cds.audit import balp, checkpoint
from cds.audit.balp import Exchange, Party
from cds.audit.chain import Row, append, canonical, event_of, rows
from cds.audit.verify import Anchor, Break, Damage, Trust, Verification, walk
from cds.errors import IntegrityError
from cds.store.database import Connection

FORMAT = "sightline-audit-1"


def export(connection: Connection, tenant: str, keys: KeySet, us: Party, file: IO[str]) -> int:
    """Write the tenant's chain and return how many events it holds; that it was read is the next event of it.

    Raises :class:`IntegrityError` where a line cannot be opened.
    """
    purged = checkpoint.floor(connection, tenant)
    start = last = checkpoint.read(keys, tenant, purged[1]) if purged else Anchor()
    _line(file, {"format": FORMAT, "tenant": tenant, "after": purged[1] if purged else None})
    for row in rows(connection, tenant, start.seq):
        if row.line is None:
            raise IntegrityError(f"event {row.seq} of {tenant} cannot be opened")
        _line(file, _written(row, row.line))
        last = Anchor(row.seq, row.hash)
    _line(file, {"checkpoint": checkpoint.sign(keys, tenant, last)})
    count = last.seq - start.seq
    append(connection, tenant, balp.maintenance(Exchange(us, us, us), "audit-export", {"events": count}))
    return count


def verify_file(path: Path, keys: KeySet) -> tuple[str, Verification]:
    """The tenant of an export, and whether it is what was written; needs no database.

    Raises :class:`IntegrityError` where the file is no export of ours.
    """
    head = next(_objects(path), {})
    if head.get("format") != FORMAT or not isinstance(head.get("tenant"), str):
        raise IntegrityError(f"{path} is no export of an audit trail")
    tenant, end = head["tenant"], _end(path)
    start = checkpoint.read(keys, tenant, head["after"]) if head.get("after") else Anchor()
    found = walk(
        tenant,
        _events(path, start.seq),
        Trust(start, {}),
        lambda digest: any(row.hash == digest for row in _events(path, start.seq)),
    )
    return tenant, found if found.broken else _held_to(found, end and checkpoint.read(keys, tenant, end))


def _held_to(found: Verification, end: Anchor | str | None) -> Verification:
    """The events follow each other; whether they are all, the checkpoint says."""
    broken = None
    if not isinstance(end, Anchor) or found.count < end.seq:
        broken = Break(found.count + 1, Damage.DROPPED)
    elif found.count > end.seq:
        broken = Break(end.seq + 1, Damage.INSERTED)
    elif found.head != end.hash:
        broken = Break(found.count, Damage.CHANGED)
    return Verification(found.start, found.count, found.head, broken)


def _written(row: Row, line: bytes) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "previous": row.previous_hash.hex(),
        "hash": row.hash.hex(),
        "salt": line[: line.index(b"{")].decode(),
        "event": event_of(line),
    }


def _events(path: Path, start: int) -> Iterator[Row]:
    """A line that is no event ends the walk there, as one whose hash is wrong does."""
    for place, held in enumerate(_objects(path)):
        if place and "checkpoint" not in held:
            yield _row(start + place, held)


def _row(seq: int, held: dict[str, Any]) -> Row:
    try:
        event = held["event"]
        return Row(
            held["seq"],
            UUID(event["id"]),
            datetime.fromisoformat(event["recorded"]),
            bytes.fromhex(held["previous"]),
            bytes.fromhex(held["hash"]),
            (held["salt"] + canonical(event)).encode(),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Row(seq, UUID(int=0), datetime.min, b"", b"", None)


def _end(path: Path) -> str | None:
    """The checkpoint, if the file still ends with one."""
    last: dict[str, Any] = {}
    for held in _objects(path):
        last = held
    return last.get("checkpoint")


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open() as file:
            for line in file:
                held = json.loads(line)
                if isinstance(held, dict):
                    yield held
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path} cannot be read as NDJSON ({type(error).__name__})") from None


def _line(file: IO[str], held: dict[str, Any]) -> None:
    file.write(json.dumps(held, separators=(",", ":")) + "\n")
