"""What stands: a prescreen does until a model version that had a part in it is withdrawn."""

from __future__ import annotations

import threading
import time

from cds.errors import ModelError
from cds.findings import ModelVersion, Prescreen
from cds.store import withdrawn_models
from cds.store.database import Database
from cds.store.withdrawn_models import SERVICE

KNOWN_FOR_S = 1.0
"""So late a process may learn of a withdrawal. Reports are held to it without delay, where they are written."""


class Standing:
    """Tells which models and prescreens stand, from what was read of the database a moment ago."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, frozenset[str] | None]] = {}
        """By tenant: until when it is taken for true, and what it is."""

    def __call__(self, prescreen: Prescreen) -> bool:
        return self._withdrawn(prescreen.tenant).isdisjoint(model.digest for model in prescreen.models)

    def check(self, tenant: str, *models: ModelVersion) -> None:
        """Raise :class:`ModelError` for the first that is withdrawn."""
        withdrawn = self._withdrawn(tenant)
        for model in models:
            if model.digest in withdrawn:
                raise ModelError(f"the model {model.name} {model.version} was withdrawn")

    def _withdrawn(self, tenant: str) -> frozenset[str]:
        with self._lock:
            now = time.monotonic()
            until, known = self._known.get(tenant, (0.0, None))
            if known is not None:
                if now < until:
                    return known
                # The others go on with what is known while this one looks.
                self._known[tenant] = (now + KNOWN_FOR_S, known)
        digests = self._read(tenant) | self._read(SERVICE)
        with self._lock:
            self._known[tenant] = (now + KNOWN_FOR_S, digests)
        return digests

    def _read(self, tenant: str) -> frozenset[str]:
        with self._database.transaction(tenant) as connection:
            return withdrawn_models.digests_of(connection, tenant)
