"""``cds purge``: what is kept longer than the policy says is removed, and that it was is in the audit trail.

Of the audit trail only what lies before a signed checkpoint goes, so that the rest still verifies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from joserfc.jwk import KeySet
from psycopg import sql

from cds.audit import balp, chain, checkpoint
from cds.audit.balp import Exchange, Party
from cds.audit.verify import verify
from cds.errors import ConfigurationError, IntegrityError
from cds.settings import Settings
from cds.store import audit_feed
from cds.store.database import Connection, Database
from cds.store.search import index

AUDIT = "audit events"


@dataclass(frozen=True, slots=True)
class Rule:
    """The rows of a table that are over since a moment, which ``over`` compares with."""

    kind: str
    table: LiteralString
    over: LiteralString


SCORES = (Rule("scores", "score", "created_at < %s"),)
DELIVERIES = (Rule("deliveries", "outbox", "delivered_at < %s"),)
RESULTS = (
    Rule(
        "feedback",
        "feedback",
        "EXISTS (SELECT FROM card c"
        " WHERE (c.tenant, c.uuid) = (feedback.tenant, feedback.card) AND c.created_at < %s)",
    ),
    Rule("cards", "card", "created_at < %s"),
    Rule("reviews", "review", "created_at < %s"),
    Rule(
        "prescreens",
        "prescreen",
        "created_at < %s"
        " AND NOT EXISTS (SELECT FROM card c WHERE c.tenant = prescreen.tenant AND c.prescreen_id = prescreen.id)"
        " AND NOT EXISTS"
        " (SELECT FROM review v WHERE v.tenant = prescreen.tenant AND v.prescreen_id = prescreen.id)",
    ),
    # A model version's Device and card belong to no patient, and what stays may refer to them.
    Rule(
        "versions of resources",
        "resource_version",
        "type NOT IN ('Device', 'DocumentReference') AND EXISTS (SELECT FROM resource r"
        " WHERE (r.tenant, r.type, r.id) = (resource_version.tenant, resource_version.type, resource_version.id)"
        " AND r.last_updated < %s)",
    ),
    Rule("resources", "resource", "type NOT IN ('Device', 'DocumentReference') AND last_updated < %s"),
)
"""In the order in which they can go."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How many days each kind is kept; 0: for good."""

    scores: int
    deliveries: int
    results: int
    audit: int
    forwarded_to: str = ""
    """The repository that must hold an event of the audit trail before it goes; empty: none."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Policy:
        """Raises :class:`ConfigurationError` where audit would go before the results that it tells of."""
        policy = cls(
            settings.keep_scores_days,
            settings.keep_deliveries_days,
            settings.keep_results_days,
            settings.keep_audit_days,
            settings.audit_repository_url.rstrip("/"),
        )
        if policy.audit and not 0 < policy.results <= policy.audit:
            raise ConfigurationError("CDS_KEEP_AUDIT_DAYS must not be shorter than CDS_KEEP_RESULTS_DAYS")
        return policy

    def rules(self, now: datetime) -> Iterator[tuple[Rule, datetime]]:
        for days, rules in ((self.scores, SCORES), (self.deliveries, DELIVERIES), (self.results, RESULTS)):
            if days:
                yield from ((rule, now - timedelta(days=days)) for rule in rules)


def over(owner: Database, tenant: str, policy: Policy) -> dict[str, int]:
    """How many rows of each kind :func:`purge` would remove."""
    now = datetime.now(UTC)
    with owner.transaction(tenant) as connection:
        counts = {rule.kind: _counted(connection, tenant, rule, since) for rule, since in policy.rules(now)}
        if policy.audit:
            start = checkpoint.floor(connection, tenant)
            until = _last_checkpoint(connection, tenant, policy, now)
            counts[AUDIT] = max(0, until - (start[0] if start else 0))
    return counts


def purge(owner: Database, tenant: str, policy: Policy, keys: KeySet, us: Party) -> dict[str, int]:
    """Remove what is over, with the event that says so; how many rows of each kind it was.

    Raises :class:`IntegrityError`, and removes nothing, where the audit trail does not hold.
    """
    now = datetime.now(UTC)
    with owner.transaction(tenant) as connection:
        connection.execute("SET LOCAL statement_timeout = 0")
        removed = {rule.kind: _removed(connection, tenant, rule, since) for rule, since in policy.rules(now)}
        if policy.audit:
            removed[AUDIT] = _audit_removed(connection, tenant, policy, now, keys)
        index.sweep(connection, tenant)
        chain.append(connection, tenant, balp.maintenance(Exchange(us, us, us), "purge", removed))
    return removed


def _counted(connection: Connection, tenant: str, rule: Rule, since: datetime) -> int:
    query = sql.SQL("SELECT count(*) FROM {} WHERE tenant = %s AND {}")
    found = connection.execute(
        query.format(sql.Identifier(rule.table), sql.SQL(rule.over)), (tenant, since)
    ).fetchone()
    return found[0] if found else 0


def _removed(connection: Connection, tenant: str, rule: Rule, since: datetime) -> int:
    query = sql.SQL("DELETE FROM {} WHERE tenant = %s AND {}")
    return connection.execute(
        query.format(sql.Identifier(rule.table), sql.SQL(rule.over)), (tenant, since)
    ).rowcount


def _audit_removed(connection: Connection, tenant: str, policy: Policy, now: datetime, keys: KeySet) -> int:
    trust = checkpoint.trusted(connection, tenant, keys)
    found = verify(connection, tenant, trust)
    if found.broken:
        raise IntegrityError(f"the audit trail of {tenant} does not hold: {found.broken}; nothing is purged")
    until = _last_checkpoint(connection, tenant, policy, now)
    if until <= trust.start.seq:
        return 0
    connection.execute("SELECT set_config('cds.maintenance', 'purge', true)")
    connection.execute(
        "INSERT INTO audit_floor (tenant, seq, jws)"
        " SELECT tenant, seq, jws FROM audit_checkpoint WHERE tenant = %s AND seq = %s"
        " ON CONFLICT (tenant) DO UPDATE SET seq = EXCLUDED.seq, jws = EXCLUDED.jws",
        (tenant, until),
    )
    return connection.execute("DELETE FROM audit_event WHERE tenant = %s AND seq <= %s", (tenant, until)).rowcount


def _last_checkpoint(connection: Connection, tenant: str, policy: Policy, now: datetime) -> int:
    """The last event that is over, was forwarded, and has a checkpoint at it; 0 where there is none."""
    forwarded = audit_feed.place(connection, tenant, policy.forwarded_to) if policy.forwarded_to else None
    found = connection.execute(
        "SELECT max(c.seq) FROM audit_checkpoint c JOIN audit_event e USING (tenant, seq)"
        " WHERE tenant = %s AND e.recorded < %s AND seq <= coalesce(%s, seq)",
        (tenant, now - timedelta(days=policy.audit), forwarded),
    ).fetchone()
    return (found and found[0]) or 0
