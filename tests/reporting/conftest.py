"""A prescreen that was reported, and those who say something of it."""

from __future__ import annotations

import pytest

from cds.audit.trail import OnBehalf, Trail, party
from cds.findings import Prescreen
from cds.reporting.record import Record, kept, reported
from cds.reporting.sign_off import SignOffs
from cds.store.database import Database
from tests.prescreens import prescreen

US = party("https://cds.example")


@pytest.fixture
def trail() -> Trail:
    return Trail(US, OnBehalf())


@pytest.fixture
def made(database: Database, tenant: str, trail: Trail) -> Prescreen:
    """A prescreen with its report, on its way to the EHR."""
    made = prescreen(tenant=tenant)
    Record(database).write(tenant, trail, kept(made, trail), reported(made, trail))
    return made


@pytest.fixture
def sign_offs(database: Database) -> SignOffs:
    return SignOffs(database)
