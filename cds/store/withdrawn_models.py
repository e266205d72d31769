"""The model versions that were withdrawn, by digest: what one of them said does not stand any more.

A withdrawal is for good: what mends the model is another version of it.
"""

from __future__ import annotations

from collections.abc import Collection

from cds.store.database import Connection

SERVICE = "service"
"""The tenant of what concerns every tenant, also of those that come later."""


def add(connection: Connection, tenant: str, digest: str) -> bool:
    """Withdraw a version; false where it was before.

    Waits for whoever writes down what the version said (:func:`any_of`), so that none of it is written after this.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (_name(tenant),))
    done = connection.execute(
        "INSERT INTO withdrawn_model (tenant, digest) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING tenant",
        (tenant, digest),
    )
    return done.fetchone() is not None


def any_of(connection: Connection, tenant: str, digests: Collection[str]) -> bool:
    """Whether one of these versions is withdrawn; it stays as it is until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (_name(tenant),))
    return not digests_of(connection, tenant).isdisjoint(digests)


def digests_of(connection: Connection, tenant: str) -> frozenset[str]:
    """Every version that is withdrawn."""
    found = connection.execute("SELECT digest FROM withdrawn_model WHERE tenant = %s", (tenant,))
    return frozenset(digest for (digest,) in found)


def _name(tenant: str) -> str:
    return f"withdrawn models/{tenant}"
