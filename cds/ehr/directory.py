"""The EHR's directory: who works there, and where images are.

It tells of no patient, and is the same for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cds.ehr.datatypes import Resource
from cds.ehr.fhir_client import FhirClient
from cds.store.recent import Recent

TYPES = frozenset({"Endpoint", "Organization", "Practitioner", "PractitionerRole"})
FRESH_S = 60
SIZE = 4096
"""Of all EHRs, in each process."""


class Directory:
    """Reads resources, and those of the directory once in :data:`FRESH_S` seconds at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: Recent[Resource] = Recent(SIZE)

    def at_hand(self, client: FhirClient, type_: str, id_: str) -> Resource | None:
        """What was read of it lately, with whichever token of the same tenant."""
        return self._recent.get(*self._key(client, type_, id_))

    def read(self, client: FhirClient, type_: str, id_: str) -> Resource:
        """Ask the EHR; raises a leaf of :class:`~cds.errors.UpstreamError`."""
        resource = client.read(type_, id_)
        if type_ in TYPES:
            self._recent.put(resource, *self._key(client, type_, id_))
        return resource

    def _key(self, client: FhirClient, *instance: str) -> tuple[str, ...]:
        return client.tenant, client.base.url, *instance, str(self._clock() // FRESH_S)
