"""RFC 6585 §4: 429 says how long to wait; the audit trail keeps the first refusal of a minute."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from joserfc.jwk import ECKey

from cds.audit.trail import UNKNOWN_CALLER
from cds.store.database import Database
from cds.store.rate_limit import FAILURES_PER_MINUTE, network
from cds.store.valkey import Valkey
from tests.hooks.conftest import Hooks
from tests.opened import events

Make = Callable[..., Hooks]
STRANGER = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig", "kid": "k1"})
NOBODY = "redis://127.0.0.1:9/0"


def refusals(database: Database, tenant: str, caller: str) -> int:
    """How many refusals of ``caller`` the trail of ``tenant`` holds."""
    with database.transaction(tenant) as connection:
        return sum(caller in str(event) and "outcomeDesc" in event for event in events(connection, tenant))


def some_address() -> str:
    """An IPv6 address in a network that no other test uses."""
    digits = uuid4().hex
    return f"2001:db8:{digits[:4]}:{digits[4:8]}::{digits[8:12]}"


def test_one_call_too_many_is_429_with_an_outcome_and_a_time(hooks: Make) -> None:
    ehr = hooks(rate_per_minute=2)
    assert [ehr.call().status_code for _ in range(3)] == [200, 200, 429]
    answer = ehr.call()
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.mimetype == "application/fhir+json"
    assert answer.get_json(force=True)["issue"][0]["code"] == "throttled"


def test_all_workers_count_together(hooks: Make) -> None:
    workers = [hooks(rate_per_minute=5) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda n: workers[n % 2].call().status_code, range(12)))
    assert (statuses.count(200), statuses.count(429)) == (5, 7)


def test_each_issuer_is_counted_by_itself(hooks: Make) -> None:
    ehr = hooks(rate_per_minute=1)
    assert [ehr.call().status_code for _ in range(2)] == [200, 429]
    assert ehr.call(ehr.other_issuer).status_code == 200


def test_feedback_and_hook_are_counted_together(hooks: Make) -> None:
    """The limit is on the caller; a signed call of another path is still one of its calls."""
    ehr = hooks(rate_per_minute=1)
    assert ehr.call().status_code == 200
    assert ehr.call(path="/cds-services/imaging-prescreen/feedback").status_code == 429


def test_zero_is_no_limit(hooks: Make) -> None:
    ehr = hooks(rate_per_minute=0)
    assert {ehr.call().status_code for _ in range(10)} == {200}


def test_the_trail_keeps_the_first_refusal_of_a_minute(hooks: Make, database: Database) -> None:
    ehr = hooks(rate_per_minute=1)
    for _ in range(5):
        ehr.call()
    assert refusals(database, ehr.tenant, ehr.issuer) == 1


def test_failed_authentication_is_401_and_then_429_and_ends_in_the_trail(hooks: Make, database: Database) -> None:
    ehr, address = hooks(rate_per_minute=3), some_address()
    answers = [ehr.call(key=STRANGER, address=address) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 5
    assert all("Retry-After" in answer.headers for answer in answers[3:])
    assert refusals(database, UNKNOWN_CALLER, address) == 3 + 1


def test_failures_are_bounded_however_high_the_rate(hooks: Make) -> None:
    ehr, address = hooks(rate_per_minute=6000), some_address()
    statuses = [ehr.call(key=STRANGER, address=address).status_code for _ in range(FAILURES_PER_MINUTE + 1)]
    assert statuses == [401] * FAILURES_PER_MINUTE + [429]


def test_whoever_shares_an_attackers_address_still_gets_in(hooks: Make) -> None:
    ehr, address = hooks(rate_per_minute=2), some_address()
    for _ in range(4):
        ehr.call(key=STRANGER, address=address)
    assert ehr.call(address=address).status_code == 200


def test_failures_under_an_issuers_name_do_not_count_against_it(hooks: Make) -> None:
    ehr = hooks(rate_per_minute=2)
    for _ in range(4):
        ehr.call(key=STRANGER, address=some_address())
    assert ehr.call().status_code == 200


def test_while_valkey_is_away_nobody_is_held_back(hooks: Make) -> None:
    away = Valkey(NOBODY)
    ehr = hooks(rate_per_minute=1, counts=away)
    assert [ehr.call().status_code for _ in range(3)] == [200] * 3
    away.close()


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_ipv6_host_is_its_network(address: str | None, caller: str) -> None:
    assert network(address) == caller
