"""``cds models withdraw``: the recall of a model version.

First it is written down everywhere that the version does not stand, then each of its reports is withdrawn in a
transaction of its own. What was cut short goes on with the next call, and doing it twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from cds.audit import balp, chain
from cds.audit.balp import Exchange, Party, User
from cds.audit.trail import OnBehalf, Trail
from cds.errors import Unknown
from cds.reporting import codes
from cds.reporting.record import Record
from cds.reporting.withdrawal import WITHDRAWN, withdraw
from cds.store import resources, withdrawn_models
from cds.store.database import Connection, Database
from cds.store.search.find import AnyOf, Query, find
from cds.store.search.terms import term
from cds.store.withdrawn_models import SERVICE

PAGE = 200
DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")
"""A digest or its beginning, as cards show it."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A model version, as a tenant's Device says."""

    device: str
    """The Device's id."""
    digest: str
    name: str
    number: str

    @classmethod
    def from_device(cls, device: dict[str, Any]) -> Self:
        return cls(
            device["id"],
            device["identifier"][0]["value"],
            device["modelNumber"],
            device["version"][0]["value"],
        )

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    def is_meant_by(self, version: str) -> bool:
        """``NAME@VERSION``, or a digest or its beginning."""
        digest = DIGEST.fullmatch(version)
        return version == f"{self.name}@{self.number}" or bool(digest and self.digest.startswith(digest[1]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a tenant's reports."""

    tenant: str
    withdrawn: int
    left: int
    """Those that could not be: their prescreens are not kept any more."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Withdraws model versions in the name of ``by``; ``reason`` is a sentence without patient data.

    The reason goes into the EHR's record with each report.
    """

    database: Database
    us: Party
    reason: str
    by: str

    def __call__(self, found: Found) -> Iterator[Outcome]:
        """Withdraw the versions of each tenant; from the first moment on nothing that they said is told again."""
        for tenant, versions in found.items():
            self._mark(tenant, versions)
        for tenant, versions in found.items():
            withdrawn = self._withdraw(tenant, versions)
            yield Outcome(tenant, withdrawn, left=len(standing(self.database, tenant, versions)))

    def _mark(self, tenant: str, versions: Iterable[Version]) -> None:
        """From here on nothing is reported of these versions, and nothing that they said stands."""
        exchange = Exchange(self.us, self.us, self.us, user=self._user)
        for version in versions:
            with self.database.transaction(tenant) as connection:
                if withdrawn_models.add(connection, tenant, version.digest):
                    reference = f"Device/{version.device}"
                    _out_of_use(connection, tenant, version)
                    event = balp.model_withdrawn(exchange, str(version), version.digest, reference)
                    chain.append(connection, tenant, event)

    def _withdraw(self, tenant: str, versions: Iterable[Version]) -> int:
        """Enter every report in error, with its audit and its delivery; how many there were."""
        record, done = Record(self.database), 0
        for prescreen in standing(self.database, tenant, versions):
            trail = Trail(self.us, OnBehalf(user=self._user))
            done += withdraw(record, tenant, prescreen, self.reason, trail)
        return done

    @property
    def _user(self) -> User:
        return User("urn:sightline:operator", self.by)


Found = Mapping[str, Sequence[Version]]
"""The versions that are meant, by tenant."""


def known(database: Database, tenants: Sequence[str], version: str) -> Found:
    """The versions that ``version`` means; raises :class:`Unknown` where no tenant has one."""
    meant = {tenant: [v for v in _versions(database, tenant) if v.is_meant_by(version)] for tenant in tenants}
    found = {tenant: versions for tenant, versions in meant.items() if versions}
    if not found:
        raise Unknown(f"no tenant has results of a model version {version}")
    return found


def everywhere(found: Found) -> Found:
    """The same, for the tenants that come later too."""
    return {SERVICE: sorted({version for versions in found.values() for version in versions}), **found}


def standing(database: Database, tenant: str, versions: Iterable[Version]) -> list[str]:
    """The prescreens whose reports name one of these versions as their author and are not withdrawn."""
    authors = tuple(term("Provenance", "agent", f"Device/{version.device}") for version in versions)
    query: Query | None = Query("Provenance", words=(AnyOf(authors, selective=True),), descending=False)
    prescreens: list[str] = []
    while query:
        with database.transaction(tenant) as connection:
            hits = find(connection, tenant, query, PAGE)
            prescreens += _reported(connection, tenant, [hit.id for hit in hits])
        query = replace(query, after=hits[-1].place) if hits else None
    return prescreens


def _versions(database: Database, tenant: str) -> list[Version]:
    with database.transaction(tenant) as connection:
        hits = find(connection, tenant, Query("Device"), PAGE)
        devices = resources.get_many(connection, tenant, "Device", [hit.id for hit in hits])
    return [Version.from_device(device) for device in devices.values() if _is_model(device)]


def _is_model(device: Mapping[str, Any]) -> bool:
    return any(one.get("system") == codes.MODEL_IDENTIFIER for one in device.get("identifier", ()))


def _reported(connection: Connection, tenant: str, provenances: Sequence[str]) -> list[str]:
    """The prescreens of the reports that these are the provenance of."""
    held = resources.get_many(connection, tenant, "Provenance", provenances).values()
    targets = (target["reference"].partition("/") for provenance in held for target in provenance["target"])
    ids = [id for type, _, id in targets if type == "DiagnosticReport"]
    reports = resources.get_many(connection, tenant, "DiagnosticReport", ids).values()
    return [
        identifier["value"]
        for report in reports
        if report["status"] != WITHDRAWN
        for identifier in report["identifier"]
        if identifier["system"] == codes.PRESCREEN_IDENTIFIER
    ]


def _out_of_use(connection: Connection, tenant: str, version: Version) -> None:
    device = resources.get(connection, tenant, "Device", version.device)
    if device:
        meta = {"profile": device["meta"]["profile"]}
        resources.put(connection, tenant, {**device, "meta": meta, "status": "inactive"})
