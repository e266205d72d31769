"""Forwards each tenant's audit trail to its repository elsewhere: in its order, at least once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from cds.audit import chain
from cds.errors import IntegrityError, SightlineError
from cds.store import audit_feed
from cds.store.database import Database
from cds.worker.audit_repository import AuditRepository

log = logging.getLogger(__name__)

BATCH = 100
TURN_S = 50.0
"""How long one run goes on while there is something to forward: the next comes after a minute."""


@dataclass(frozen=True, slots=True)
class AuditFeed:
    """Brings to the repositories what they have not taken yet."""

    database: Database
    repositories: Callable[[str], AuditRepository | None]
    """The repository of a tenant (:class:`~cds.worker.audit_repository.AuditRepositories`)."""

    def __call__(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """A batch of each tenant by turns, until there is no more, or nothing goes, or once ``given_up()``."""
        ends, tenants = time.monotonic() + TURN_S, self.database.tenants()
        while tenants and time.monotonic() < ends and not given_up():
            tenants = [tenant for tenant in tenants if self.forward(tenant)]

    def forward(self, tenant: str) -> bool:
        """Send the next batch; whether it went. How it went is written down."""
        repository = self.repositories(tenant)
        if repository is None:
            return False
        url = repository.url
        with self.database.transaction(tenant) as connection:
            place = audit_feed.claim(connection, tenant, url)
        if place is None:
            return False
        try:
            taken = self._send(tenant, place, repository)
        except SightlineError as error:
            log.warning("the audit trail of %s was not forwarded: %s", tenant, error)
            with self.database.transaction(tenant) as connection:
                audit_feed.failed(connection, tenant, url, str(error))
            return False
        with self.database.transaction(tenant) as connection:
            audit_feed.taken(connection, tenant, url, taken)
        return True

    def _send(self, tenant: str, place: int, repository: AuditRepository) -> int:
        """The place of the last event that the repository took."""
        with self.database.transaction(tenant) as connection:
            rows = list(chain.rows(connection, tenant, place, BATCH))
        for row in rows:
            if row.line is None:
                raise IntegrityError(f"event {row.seq} of {tenant} cannot be opened")
        events = [chain.event_of(row.line) for row in rows if row.line]
        return rows[repository.send(events) - 1].seq
