"""``python -m bench.record``: what it takes to write down, to verify and to find.

What is measured, in a PostgreSQL of its own (embedded, default settings, every commit flushed to disk):

    *Append*: prescreen, report, observations, provenance, delivery and audit events in one transaction, by one
    thread and by eight: what a hook writes and what the worker adds, together.

    *One event*: a transaction that adds one audit event, at the beginning of a chain and at its end.

    *Verify*: the whole chain, from the first event to the last, opened, hashed and compared.

    *Find by date*: the events of an hour of the trail, the first fifty of them opened.

    *Search by patient and date*: the same of a patient's events of a day, by the index that `/fhir` searches.

    *Sealing and row-level security*: rows of a score's size into three tables that are alike but for that: plain,
    plain with row-level security, and sealed with it. The first is the ``peer`` of the others.

A machine that others use gives rough figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg import sql

from bench.report import Row, at_least, at_most, device, percentile, ratio, table, write_json
from cds.audit import balp, chain
from cds.audit.balp import Event
from cds.audit.events import get_many
from cds.audit.trail import OnBehalf, Trail, party
from cds.audit.verify import verify
from cds.findings import Finding, Level, ModelVersion, NoteSeen, Prescreen, StudySeen
from cds.reporting.record import Record, kept, reported
from cds.store.database import Connection, Database
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import APPLICATION
from cds.store.master_key import LocalMasterKey
from cds.store.migrate import upgrade
from cds.store.sealing import Keyring
from cds.store.search.find import Query, When, find
from cds.store.search.terms import patient_term

TENANT = "bench"
US = party("https://cds.example")
EHR = "https://ehr.example/fhir"
BATCH = 1000
LOOKUPS = 200
VERIFIED_PER_S = 1_000_000 / 60
SMALL = 10_000
DAY_S = 86_400
ROWS = 5_000
BODY = {
    "model": {"name": "chest-radiograph", "digest": "a" * 64},
    "probabilities": {f"f{n}": 0.5 for n in range(14)},
}


CREATE = """
    CREATE TABLE plain (tenant text, key int, body jsonb, PRIMARY KEY (tenant, key));
    CREATE TABLE plain_rls (LIKE plain INCLUDING ALL);
    CREATE TABLE sealed_rls (tenant text, key int, body bytea, PRIMARY KEY (tenant, key));
    GRANT SELECT, INSERT ON plain, plain_rls, sealed_rls TO cds_app;
    ALTER TABLE plain_rls ENABLE ROW LEVEL SECURITY;
    ALTER TABLE sealed_rls ENABLE ROW LEVEL SECURITY;
    CREATE POLICY of_tenant ON plain_rls USING (tenant = (SELECT current_setting('cds.tenant', true)));
    CREATE POLICY of_tenant ON sealed_rls USING (tenant = (SELECT current_setting('cds.tenant', true)));
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.record", description="Writing, verifying and finding.")
    parser.add_argument("--events", type=int, default=1_000_000, help="length of the chain (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of each append (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    master = LocalMasterKey(bytes(32))
    with (
        tempfile.TemporaryDirectory(prefix="sightline-bench-") as home,
        EmbeddedPostgres(Path(home)) as postgres,
    ):
        upgrade(postgres.admin_url, APPLICATION, master)
        with closing(Database(postgres.app_url, Keyring(master))) as database:
            rows = [
                *appends(database, arguments.seconds),
                *trail(database, arguments.events),
                *costs(postgres.admin_url, database),
            ]
    print(as_table(rows), device(), sep="\n\n")
    if arguments.json:
        write_json(arguments.json, rows)


def appends(database: Database, seconds: float) -> Iterator[Row]:
    record = Record(database)

    def write(_: int = 0) -> int:
        done, ends = 0, time.monotonic() + seconds
        while time.monotonic() < ends:
            made, trail = prescreen(), Trail(US, OnBehalf())
            record.write(TENANT, trail, kept(made, trail), reported(made, trail))
            done += 1
        return done

    for writers in (1, 8):
        started = time.monotonic()
        with ThreadPoolExecutor(writers) as pool:
            done = sum(pool.map(write, range(writers)))
        rate = done / (time.monotonic() - started)
        yield Row(f"report and audit appended, {writers} writers", rate, "/s", device=device())


def trail(database: Database, length: int) -> Iterator[Row]:
    """The chain at two lengths."""
    tenant = f"{TENANT}-trail"
    for events in sorted({min(SMALL, length), length}):
        with database.transaction(tenant) as connection:
            held = chain.length(connection, tenant)
        for first in range(held, events, BATCH):
            with database.transaction(tenant) as connection:
                chain.append_many(connection, tenant, [event(n) for n in range(first, min(first + BATCH, events))])
        at = f"{events:,} events"
        yield Row(f"one event appended at {at}, p50", one_event(database, tenant), "ms", device=device())
        found = find_by_date(database, tenant, events)
        yield Row(f"find by date in {at}, p95", found, "ms", goal="< 50", met=at_most(50, found), device=device())
        found = search_by_patient(database, tenant, events)
        name = f"search by patient and date in {at}, p95"
        yield Row(name, found, "ms", goal="< 50", met=at_most(50, found), device=device())
    started, cpu = time.monotonic(), time.process_time()
    with database.transaction(tenant) as connection:
        verified = verify(connection, tenant)
    assert verified.intact
    rate = verified.count / (time.monotonic() - started)
    goal = f">= {VERIFIED_PER_S:.0f} (1,000,000 in a minute)"
    yield Row("events verified", rate, "/s", goal=goal, met=at_least(VERIFIED_PER_S, rate), device=device())
    of_cpu = verified.count / (time.process_time() - cpu)
    yield Row("events verified per second of our CPU", of_cpu, "/s", device=device())


def one_event(database: Database, tenant: str) -> float | None:
    return percentile([timed(partial(_one, database, tenant, n)) for n in range(50)], 50)


def _one(database: Database, tenant: str, n: int) -> None:
    with database.transaction(tenant) as connection:
        chain.append(connection, tenant, event(n))


def find_by_date(database: Database, tenant: str, length: int) -> float | None:
    hours = [BEGAN + timedelta(seconds=n * max(length - 3600, 0) / LOOKUPS) for n in range(LOOKUPS)]
    with database.transaction(tenant) as connection:
        return percentile([timed(partial(_of_hour, connection, tenant, since)) for since in hours], 95)


def _of_hour(connection: Connection, tenant: str, since: datetime) -> None:
    found = connection.execute(
        "SELECT seq, body FROM audit_event WHERE tenant = %s AND recorded >= %s AND recorded < %s"
        " ORDER BY recorded LIMIT 50",
        (tenant, since, since + timedelta(hours=1)),
    ).fetchall()
    assert [chain.event_of(connection.sealer.open(chain.place(seq), body)) for seq, body in found]


def search_by_patient(database: Database, tenant: str, length: int) -> float | None:
    days = [(n, BEGAN + timedelta(seconds=n * max(length - DAY_S, 0) / LOOKUPS)) for n in range(LOOKUPS)]
    with database.transaction(tenant) as connection:
        return percentile([timed(partial(_of_patient, connection, tenant, *day)) for day in days], 95)


def _of_patient(connection: Connection, tenant: str, patient: int, since: datetime) -> None:
    query = Query(
        "AuditEvent",
        patients=((patient_term(f"Patient/{patient}"),),),
        dates=((When("last_updated", "eq", since, since + timedelta(seconds=DAY_S)),),),
    )
    hits = find(connection, tenant, query, 50)
    assert len(get_many(connection, tenant, [hit.id for hit in hits])) == len(hits) > 0


def costs(owner_url: str, database: Database) -> Iterator[Row]:
    """The same rows, three ways, each in transactions of ten."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(CREATE)
    ways: dict[str, Callable[[Connection, int], Any]] = {
        "plain": lambda connection, key: orjson.dumps(BODY).decode(),
        "plain_rls": lambda connection, key: orjson.dumps(BODY).decode(),
        "sealed_rls": lambda connection, key: connection.sealer.seal(("sealed_rls", key), orjson.dumps(BODY)),
    }
    names = {"plain": "plain", "plain_rls": "row-level security", "sealed_rls": "sealed, row-level security"}
    peers: dict[str, float] = {}
    for name, body in ways.items():
        written = ROWS / (timed(partial(_fill, database, name, body)) / 1000)
        read = ROWS / (timed(partial(_read, database, name)) / 1000)
        for what, rate in (("written", written), ("read", read)):
            peer = peers.setdefault(what, rate)
            yield Row(f"rows {what}, {names[name]}", rate, "/s", peer, ratio(rate, peer), device=device())


def _fill(database: Database, name: str, body: Callable[[Connection, int], Any]) -> None:
    insert = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(sql.Identifier(name))
    for first in range(0, ROWS, 10):
        with database.transaction(TENANT) as connection:
            for key in range(first, first + 10):
                connection.execute(insert, (TENANT, key, body(connection, key)))


def _read(database: Database, name: str) -> None:
    select = sql.SQL("SELECT body FROM {} WHERE tenant = %s AND key = %s").format(sql.Identifier(name))
    with database.transaction(TENANT) as connection:
        for key in range(ROWS):
            (body,) = connection.execute(select, (TENANT, key)).fetchone() or (None,)
            assert (
                orjson.loads(connection.sealer.open((name, key), body)) if type(body) is bytes else body
            ) == BODY


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def event(n: int) -> Event:
    """One a second, each of one of a thousand patients."""
    exchange = balp.Exchange(US, balp.Party(EHR, EHR), US, transaction=str(uuid.uuid4()))
    made = balp.patient_read(exchange, f"Patient/{n % 1000}", f"DocumentReference/{n}")
    recorded = (BEGAN + timedelta(seconds=n)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return made | {"recorded": recorded}


def prescreen() -> Prescreen:
    """What a chest radiograph and a note give: seven findings."""
    id = str(uuid.uuid4())
    model = ModelVersion("image", "chest-radiograph", "1.0.0", "a" * 64)
    findings = ("atelectasis", "cardiomegaly", "consolidation", "edema", "effusion", "mass", "pneumothorax")
    return Prescreen(
        id=id,
        key=id,
        tenant=TENANT,
        patient=f"Patient/{id}",
        fhir_server=EHR,
        findings=tuple(Finding(key, 0.5, Level.REVIEW, 0.5, 0.5) for key in findings),
        models=(model,),
        study=StudySeen("1.2.3", "1.2.3.1", "1.2.3.1.1", "DX", "PA", BEGAN, "ImagingStudy/s", f"{EHR}/dicom"),
        notes=(NoteSeen("DocumentReference/d", "ED note", BEGAN.date(), "c" * 64),),
        issued=datetime.now(UTC),
    )


def timed(action: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def as_table(rows: list[Row]) -> str:
    lines = [
        [
            row.name,
            f"{row.value:,.1f} {row.unit}" if row.value is not None else "-",
            f"{row.ratio:.2f}x" if row.ratio is not None else "",
            row.goal,
            {True: "yes", False: "no", None: ""}[row.met],
        ]
        for row in rows
    ]
    return table(["measure", "value", "of the peer", "goal", "met"], lines)


if __name__ == "__main__":
    main()
