"""Each hour every chain is checked from its last checkpoint on, and signed; the log keeps what was signed too."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from joserfc.jwk import KeySet

from cds.audit import checkpoint
from cds.errors import IntegrityError
from cds.store.database import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Makes them when called. A chain that does not hold is an error in the log, and the others go on."""

    database: Database
    signing: KeySet

    def __call__(self) -> None:
        for tenant in self.database.tenants():
            try:
                with self.database.transaction(tenant) as connection:
                    signed = checkpoint.make(connection, tenant, self.signing)
            except IntegrityError as broken:
                log.error("%s", broken)
                continue
            if signed:
                log.info("audit checkpoint of %s: %s", tenant, signed)
