"""What waits for one chain is committed together, and fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event
from typing import Any

import pytest

from cds.audit import chain
from cds.audit.journal import Journal, Write
from cds.audit.trail import OnBehalf, Trail, party
from cds.audit.verify import verify
from cds.store.database import Connection, Database
from cds.store.sealing import Keyring
from tests.master import MASTER

BASE = "https://ehr.example/fhir"


def told(patient: str) -> list[dict[str, Any]]:
    trail = Trail(party("https://cds.example"), OnBehalf())
    trail.hook_called(BASE, "imaging-prescreen", f"Patient/{patient}")
    with trail.taken() as events:
        return events


def one(patient: str) -> Write:
    return lambda connection: told(patient)


class Held:
    """A write that ends when it is told to."""

    def __init__(self, patient: str) -> None:
        self.entered, self.go_on, self._patient = Event(), Event(), patient

    def __call__(self, connection: Connection) -> list[dict[str, Any]]:
        self.entered.set()
        assert self.go_on.wait(10)
        return told(self._patient)


class Counting(Database):
    """A database that counts its transactions."""

    transactions = 0

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Connection]:
        self.transactions += 1
        with super().transaction(tenant) as connection:
            yield connection


@pytest.fixture
def counting(database: Database) -> Iterator[Counting]:
    counting = Counting(database._url, Keyring(MASTER))
    yield counting
    counting.close()


def length(database: Database, tenant: str) -> int:
    with database.transaction(tenant) as connection:
        assert verify(connection, tenant).intact
        return chain.length(connection, tenant)


def at_once(*writes: Callable[[], None]) -> list[BaseException | None]:
    with ThreadPoolExecutor(len(writes)) as pool:
        return [due.exception() for due in [pool.submit(write) for write in writes]]


def test_a_write_is_there_when_it_returns(database: Database, tenant: str) -> None:
    Journal(database).write(tenant, one("p1"))
    assert length(database, tenant) == 1


def test_many_threads_make_one_chain(database: Database, tenant: str) -> None:
    journal, start = Journal(database), Barrier(8)

    def eight() -> None:
        start.wait(10)
        for n in range(8):
            journal.write(tenant, one(f"p{n}"))

    assert at_once(*[eight] * 8) == [None] * 8
    assert length(database, tenant) == 64


def test_those_who_wait_share_a_transaction(counting: Counting, tenant: str) -> None:
    journal, holding = Journal(counting), Held("first")

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(journal.write, tenant, holding)
        assert holding.entered.wait(10)
        rest = [pool.submit(journal.write, tenant, one(f"p{n}")) for n in range(8)]
        while len(journal._queues[tenant].waiting) < 8:
            pass
        holding.go_on.set()
        for due in [first, *rest]:
            due.result(10)
    assert counting.transactions == 2
    assert length(counting, tenant) == 9


def test_what_is_done_does_not_wait_for_what_comes_after_it(database: Database, tenant: str) -> None:
    journal = Journal(database)
    held = [Held(f"p{number}") for number in range(3)]

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(journal.write, tenant, held[0])
        assert held[0].entered.wait(10)
        together = [pool.submit(journal.write, tenant, write) for write in (held[1], *map(one, "abc"))]
        while len(journal._queues[tenant].waiting) < 4:
            pass
        held[0].go_on.set()
        first.result(10)
        assert held[1].entered.wait(10)
        later = pool.submit(journal.write, tenant, held[2])
        while not journal._queues[tenant].waiting:
            pass
        held[1].go_on.set()
        assert held[2].entered.wait(10)
        for due in together:
            due.result(10)
        assert not later.done()
        held[2].go_on.set()
        later.result(10)
    assert length(database, tenant) == 6


def test_a_write_that_fails_costs_no_other(database: Database, tenant: str) -> None:
    journal, holding = Journal(database), Held("first")

    def failing(connection: Connection) -> list[dict[str, Any]]:
        raise LookupError("no such thing")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(journal.write, tenant, holding)
        assert holding.entered.wait(10)
        before, wrong, after = (pool.submit(journal.write, tenant, w) for w in (one("a"), failing, one("b")))
        while len(journal._queues[tenant].waiting) < 3:
            pass
        holding.go_on.set()
        for due in (first, before, after):
            due.result(10)
        with pytest.raises(LookupError, match="no such thing"):
            wrong.result(10)
    assert length(database, tenant) == 3


def test_tenants_do_not_wait_for_one_another(database: Database, tenant: str) -> None:
    journal, holding = Journal(database), Held("first")

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(journal.write, tenant, holding)
        assert holding.entered.wait(10)
        journal.write(f"{tenant}-other", one("p1"))
        holding.go_on.set()
        held.result(10)
    assert length(database, f"{tenant}-other") == 1
