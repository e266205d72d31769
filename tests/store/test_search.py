"""The index: what a value becomes, what a date covers, and that every way in is a walk along an index."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cds.store.database import Connection, Database
from cds.store.search import find, index
from cds.store.search.dates import span
from cds.store.search.find import AnyOf, Query, When
from cds.store.search.index import Entry
from cds.store.search.parameters import Parameter
from cds.store.search.terms import blind, patient_term, term, values

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026-02", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("2026-12", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("2026-05-01T10:00Z", "2026-05-01T10:00:00", "2026-05-01T10:01:00"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00", "2026-05-01T08:00:01"),
        ("2026-05-01T10:00:00.5Z", "2026-05-01T10:00:00.500000", "2026-05-01T10:00:00.600000"),
    ],
)
def test_a_date_is_as_long_as_it_is_precise(text: str, low: str, high: str) -> None:
    assert span(text) == (datetime.fromisoformat(f"{low}+00:00"), datetime.fromisoformat(f"{high}+00:00"))


@pytest.mark.parametrize("text", ["", "x", "2026-13", "2026-02-30", "9999-12", "2026-05-01 10:00", "26"])
def test_what_is_no_date(text: str) -> None:
    assert span(text) is None


def test_a_coding_answers_to_each_of_its_spellings() -> None:
    coded = {"code": {"coding": [{"system": "s", "code": "c"}, {"code": "d"}]}}
    assert set(values(coded, Parameter("token", ("code",)))) == {"c", "s|c", "s|", "d", "|d"}


def test_a_term_says_nothing_and_is_the_same_for_the_same() -> None:
    assert term("Device", "model", "x") == term("Device", "model", "x")
    assert term("Device", "model", "x") != term("Device", "type", "x")


def test_a_term_in_the_index_needs_the_tenants_key(database: Database) -> None:
    guessed = patient_term("https://ehr.example/fhir/Patient/ada")
    keyed = []
    for tenant in ("tenant-a", "tenant-b"):
        with database.transaction(tenant) as connection:
            assert blind(connection, [guessed]) == blind(connection, [guessed])
            keyed += blind(connection, [guessed])
    assert len({guessed, *keyed}) == 3


@pytest.fixture(scope="module")
def many(database: Database) -> str:
    """20,000 AuditEvents' worth of index for one tenant, as a planner sees a busy hospital."""
    tenant = "tenant-many"
    with database.transaction(tenant) as connection:
        connection.execute(
            "INSERT INTO search_row (tenant, type, id, patient, last_updated, terms)"
            " SELECT %s, 'AuditEvent', n::text, n %% 500, %s + n * interval '1 second', ARRAY[n %% 50, 7000 + n]"
            " FROM generate_series(1, 20000) n",
            (tenant, T0),
        )
        connection.execute(
            "INSERT INTO search_term SELECT tenant, term, last_updated, number"
            " FROM search_row, unnest(terms) AS term WHERE tenant = %s",
            (tenant,),
        )
    return tenant


@pytest.fixture(scope="module", autouse=True)
def analyzed(postgres: object, many: str) -> None:
    import psycopg

    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute("ANALYZE search_row, search_term")


@pytest.mark.parametrize(
    ("query", "way_in"),
    [
        (Query("AuditEvent"), "search_row_by_update"),
        (Query("AuditEvent", patients=((7,),)), "search_row_of_patient"),
        (
            Query("AuditEvent", patients=((7,),), dates=((When("last_updated", "ge", T0, T0),),)),
            "search_row_of_patient",
        ),
        (Query("AuditEvent", words=(AnyOf((7003,), selective=True),)), "search_term_pkey"),
        (Query("AuditEvent", words=(AnyOf((3,), selective=True),)), "search_term_pkey"),
        (Query("AuditEvent", words=(AnyOf((7003, 7004), selective=True),)), "search_term_pkey"),
        (Query("AuditEvent", ids=("17",)), "search_row_tenant_type_id_key"),
    ],
)
def test_every_way_in_is_an_index(query: Query, way_in: str, database: Database, many: str) -> None:
    with database.transaction(many) as connection:
        plan = explained(connection, many, query)
    assert way_in in plan
    assert "Seq Scan" not in plan


def test_a_page_reads_no_more_rows_than_it_gives(database: Database, many: str) -> None:
    """Whatever the number of events: a walk along the index, no sort."""
    for query in (
        Query("AuditEvent"),
        Query("AuditEvent", patients=((7,),)),
        Query("AuditEvent", words=(AnyOf((3,), selective=True),)),
    ):
        with database.transaction(many) as connection:
            assert "Sort" not in explained(connection, many, query)


def explained(connection: Connection, tenant: str, query: Query) -> str:
    statement = find._Statement(tenant, query)
    rows = connection.execute(f"EXPLAIN {statement.page(20)}", statement.bound).fetchall()
    return "\n".join(line for (line,) in rows)


def test_what_is_removed_leaves_nothing(database: Database, tenant: str) -> None:
    entry = Entry("Device", "d", None, T0, (None, None), None, [1, 2], [1])
    with database.transaction(tenant) as connection:
        index.add(connection, tenant, [entry])
        index.remove(connection, tenant, "Device", "d")
        for table in ("search_row", "search_term"):
            assert connection.execute(f"SELECT count(*) FROM {table} WHERE tenant = %s", (tenant,)).fetchone() == (
                0,
            )


def test_nothing_readable_stands_in_the_index(database: Database, tenant: str) -> None:
    resource = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "identifier": [{"system": "urn:mrn", "value": "MRN-12345"}],
        "subject": {"reference": "https://ehr.example/fhir/Patient/ada"},
    }
    with database.transaction(tenant) as connection:
        index.add(connection, tenant, [index.entry(resource, T0, "https://ehr.example/fhir/Patient/ada")])
        rows = connection.execute("SELECT * FROM search_row JOIN search_term USING (tenant)").fetchall()
        assert rows
        assert not any(word in str(rows) for word in ("MRN", "ada"))
        assert (
            find.count(
                connection,
                tenant,
                Query("DiagnosticReport", patients=((patient_term("https://ehr.example/fhir/Patient/ada"),),)),
            )
            == 1
        )
