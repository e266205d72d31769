"""Values sealed for the database: AES-256-GCM-SIV (RFC 8452, by Tink) under a key of their tenant's own.

A sealed value is bound to its place, which is its tenant, its table and its row's key: moved elsewhere it does not
open. The tenant's keys lie in ``data_key``, wrapped by the master key. Each process unwraps a key once.

What is searched for is kept beside it as a blind index: a keyed hash, the same for the same value of one tenant.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg
import tink
from psycopg.rows import TupleRow
from tink import aead, prf, proto_keyset_format

from cds.errors import IntegrityError
from cds.store.master_key import MasterKey

aead.register()
prf.register()

SEAL, INDEX = "seal", "index"
"""What a key is for (``data_key.purpose``)."""
_TEMPLATES = {
    SEAL: aead.aead_key_templates.AES256_GCM_SIV,
    INDEX: prf.prf_key_templates.HMAC_SHA256,
}

INDEX_BYTES = 16
BLINDED_AT_HAND = 8192
"""Of each tenant: most of what stands in an index stands there again and again."""
KEY_ID = slice(1, 5)
"""Where a sealed value says which key opens it (Tink's output prefix)."""

Place = tuple[object, ...]
"""The table and the row's key: text, numbers, UUIDs or times."""
AnyConnection = psycopg.Connection[TupleRow]


class Keyring:
    """The unwrapped keys of this process. Safe for many threads."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master
        self._ciphers: dict[tuple[str, int], Any] = {}
        self._indexes: dict[str, Callable[[bytes, int], bytes]] = {}

    def begin(self, connection: AnyConnection, tenant: str) -> Sealer:
        """Make the transaction just begun the tenant's; keys that it lacks are made and committed first."""
        current = begin_as(connection, tenant)
        if current is None:
            provide(connection, self._master, tenant)
            # Before anything is sealed with them: a key that is rolled back would take its values with it.
            connection.commit()
            current = begin_as(connection, tenant)
            assert current is not None
        return Sealer(self, connection, tenant, current)

    def cipher(self, connection: AnyConnection, tenant: str, key_id: int) -> Any:
        """The key that sealed values of this id; :class:`IntegrityError` where the tenant has none such."""
        found = self._ciphers.get((tenant, key_id))
        if found is None:
            found = self._loaded(connection, tenant, SEAL, key_id).primitive(aead.Aead)
            self._ciphers[tenant, key_id] = found
        return found

    def index(self, connection: AnyConnection, tenant: str) -> Callable[[bytes, int], bytes]:
        """The function that makes the tenant's blind indexes, of a value and how many bytes."""
        found = self._indexes.get(tenant)
        if found is None:
            keyed = self._loaded(connection, tenant, INDEX).primitive(prf.PrfSet).primary()
            found = self._indexes[tenant] = lru_cache(BLINDED_AT_HAND)(keyed.compute)
        return found

    def _loaded(self, connection: AnyConnection, tenant: str, purpose: str, key_id: int | None = None) -> Any:
        held = connection.execute(
            "SELECT wrapped FROM data_key WHERE tenant = %s AND purpose = %s"
            " AND CASE WHEN %s::bigint IS NULL THEN retired_at IS NULL ELSE id = %s END",
            (tenant, purpose, key_id, key_id),
        ).fetchone()
        if held is None:
            raise IntegrityError("a value is sealed with a key that the tenant does not have")
        return unwrapped(self._master, tenant, purpose, held[0])


class Sealer:
    """Seals and opens the values of one tenant, for the length of one transaction."""

    def __init__(self, keyring: Keyring, connection: AnyConnection, tenant: str, current: int) -> None:
        self._keyring = keyring
        self._connection = connection
        self._tenant = tenant
        self.current = current
        """The id of the key that seals."""

    def seal(self, place: Place, value: bytes) -> bytes:
        cipher = self._keyring.cipher(self._connection, self._tenant, self.current)
        sealed: bytes = cipher.encrypt(value, self._bound(place))
        return sealed

    def open(self, place: Place, sealed: bytes) -> bytes:
        """Raise :class:`IntegrityError` for what was changed, or was sealed for another place."""
        cipher = self._keyring.cipher(self._connection, self._tenant, int.from_bytes(sealed[KEY_ID], "big"))
        try:
            value: bytes = cipher.decrypt(bytes(sealed), self._bound(place))
        except tink.TinkError:
            raise IntegrityError(f"a value of {place[0]} is not what was sealed there") from None
        return value

    def blind(self, value: str) -> bytes:
        """What stands in an index for an identifier; the same for the same one, and of no use without the key."""
        return self._keyring.index(self._connection, self._tenant)(value.encode(), INDEX_BYTES)

    def _bound(self, place: Place) -> bytes:
        return "\0".join((self._tenant, *map(_plainly, place))).encode()


def begin_as(connection: AnyConnection, tenant: str) -> int | None:
    """Make the transaction the tenant's, and return the id of the key that it seals with, if it has one."""
    found = connection.execute("SELECT begin_as(%s)", (tenant,)).fetchone()
    return found[0] if found else None


def tenants(connection: AnyConnection) -> list[str]:
    """Every tenant that has rows."""
    return [name for (name,) in connection.execute("SELECT name FROM tenant ORDER BY name")]


def provide(connection: AnyConnection, master: MasterKey, tenant: str) -> None:
    """Give the tenant the keys that it lacks; of two who do so at once, the first one's stay."""
    connection.execute("INSERT INTO tenant (name) VALUES (%s) ON CONFLICT DO NOTHING", (tenant,))
    for purpose in _TEMPLATES:
        add(connection, master, tenant, purpose)


def add(connection: AnyConnection, master: MasterKey, tenant: str, purpose: str) -> None:
    """Add a key, unless one of this purpose is in use."""
    handle = tink.new_keyset_handle(_TEMPLATES[purpose])
    key_id = handle.keyset_info().primary_key_id
    wrapped = proto_keyset_format.serialize_encrypted(handle, master, _of_key(tenant, purpose))
    connection.execute(
        "INSERT INTO data_key (tenant, id, purpose, wrapped) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (tenant, key_id, purpose, wrapped),
    )


def unwrapped(master: MasterKey, tenant: str, purpose: str, wrapped: bytes) -> Any:
    """The key as Tink's handle."""
    return proto_keyset_format.parse_encrypted(bytes(wrapped), master, _of_key(tenant, purpose))


def rewrapped(master: MasterKey, tenant: str, purpose: str, wrapped: bytes) -> bytes:
    """The same key, wrapped by the first master key."""
    handle = unwrapped(master, tenant, purpose, wrapped)
    again: bytes = proto_keyset_format.serialize_encrypted(handle, master, _of_key(tenant, purpose))
    return again


def _of_key(tenant: str, purpose: str) -> bytes:
    return f"{tenant}\0data_key\0{purpose}".encode()


def _plainly(part: object) -> str:
    """One spelling for one value: a time is the same in any zone."""
    return part.astimezone(UTC).isoformat() if isinstance(part, datetime) else str(part)
