"""Signed checkpoints: what a chain was at a moment, as only a holder of our signing key can say it.

Each is a JWS (RFC 7515, ES384) of tenant, number of events, and the hash of the last. Whoever rewrites the chain,
with the whole database in hand, cannot make one that agrees. They are kept beside the chain, and the worker logs
each, so that those who keep the logs can hold the chain to them too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cds.audit.verify import Anchor, Trust, verify
from cds.errors import IntegrityError
from cds.store.database import Connection, Database

ALGORITHM = "ES384"
TYPE = "audit-checkpoint"


def make(connection: Connection, tenant: str, keys: KeySet) -> str | None:
    """Check what was added since the last checkpoint and sign it; none where nothing was.

    Raises :class:`IntegrityError` where the chain does not hold: what is bent is not signed.
    """
    trust = trusted(connection, tenant, keys, since_last=True)
    found = verify(connection, tenant, trust)
    if found.broken:
        raise IntegrityError(f"the audit trail of {tenant} does not hold: {found.broken}")
    if found.count == trust.start.seq:
        return None
    signed = sign(keys, tenant, Anchor(found.count, found.head))
    connection.execute(
        "INSERT INTO audit_checkpoint (tenant, seq, jws) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (tenant, found.count, signed),
    )
    return signed


def make_all(database: Database, keys: KeySet, tenants: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Each tenant with its new checkpoint, if there was anything to sign."""
    for tenant in tenants:
        with database.transaction(tenant) as connection:
            yield tenant, make(connection, tenant, keys)


def sign(keys: KeySet, tenant: str, anchor: Anchor) -> str:
    key = keys.keys[0]
    claims = {"tenant": tenant, "seq": anchor.seq, "hash": anchor.hash.hex(), "iat": int(time.time())}
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
    return jws.serialize_compact(header, json.dumps(claims), key, [ALGORITHM])


def read(keys: KeySet, tenant: str, checkpoint: str) -> Anchor:
    """What a checkpoint says; :class:`IntegrityError` where it is not ours, or is another tenant's."""
    try:
        signed = jws.deserialize_compact(checkpoint, keys, [ALGORITHM])
        claims: dict[str, Any] = json.loads(signed.payload)
        if signed.headers().get("typ") != TYPE or claims["tenant"] != tenant:
            raise ValueError("not of this chain")
        return Anchor(int(claims["seq"]), bytes.fromhex(claims["hash"]))
    except (JoseError, ValueError, KeyError, TypeError):
        raise IntegrityError(f"a checkpoint of {tenant} is not one that we signed") from None


def trusted(
    connection: Connection, tenant: str, keys: KeySet, *, since_last: bool = False, elsewhere: Iterable[str] = ()
) -> Trust:
    """What the checkpoints vouch for, those kept ``elsewhere`` too.

    With ``since_last`` the chain is taken up at the last of those in the database.
    """
    purged = floor(connection, tenant)
    start = _agreeing(purged[0], read(keys, tenant, purged[1])) if purged else Anchor()
    found = connection.execute("SELECT seq, jws FROM audit_checkpoint WHERE tenant = %s ORDER BY seq", (tenant,))
    if since_last:
        found = connection.execute(
            "SELECT seq, jws FROM audit_checkpoint WHERE tenant = %s ORDER BY seq DESC LIMIT 1", (tenant,)
        )
    anchors = [_agreeing(seq, read(keys, tenant, signed)) for seq, signed in found.fetchall()]
    if since_last and anchors:
        start = anchors[-1]
    anchors += [read(keys, tenant, signed) for signed in elsewhere]
    return Trust(start, {anchor.seq: anchor.hash for anchor in anchors if anchor.seq > start.seq})


def floor(connection: Connection, tenant: str) -> tuple[int, str] | None:
    """The event up to which the chain was purged, and the checkpoint there; none where it is whole."""
    found = connection.execute("SELECT seq, jws FROM audit_floor WHERE tenant = %s", (tenant,)).fetchone()
    return (found[0], found[1]) if found else None


def _agreeing(seq: int, anchor: Anchor) -> Anchor:
    if seq != anchor.seq:
        raise IntegrityError(f"the checkpoint at event {seq} was signed for another")
    return anchor
