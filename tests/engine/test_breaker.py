"""The circuit breaker: who fails for a while is left alone for a while."""

from __future__ import annotations

import pytest

from cds.engine.remote.breaker import FAILURES, LASTING_S, REST_S, Breaker
from cds.engine.remote.pace import ENOUGH, HEDGES_PER_CALL, MOST_HEDGES, Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
        clock.now += LASTING_S / (FAILURES - 1)
    return breaker


def test_failures_over_some_time_open_it(clock: Clock) -> None:
    assert not broken(clock).admits()


def test_as_many_at_once_do_not(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(10 * FAILURES):
        breaker.failed()
    assert breaker.admits()


def test_a_success_between_them_forgets_them(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
        breaker.succeeded()
        clock.now += LASTING_S
    assert breaker.admits()


def test_after_its_rest_one_call_may_try(clock: Clock) -> None:
    breaker = broken(clock)
    clock.now += REST_S
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


def test_the_one_that_succeeds_closes_it(clock: Clock) -> None:
    breaker = broken(clock)
    clock.now += REST_S
    assert breaker.admits()
    breaker.succeeded()
    assert all(breaker.admits() for _ in range(3))


def test_the_one_that_fails_begins_the_rest_anew(clock: Clock) -> None:
    breaker = broken(clock)
    clock.now += REST_S
    assert breaker.admits()
    breaker.failed()
    clock.now += REST_S / 2
    assert not breaker.admits()


def test_patience_ends_at_half_of_the_time_and_earlier_where_answers_come_sooner() -> None:
    pace = Pace()
    assert pace.patience(2.0) == 1.0
    for _ in range(ENOUGH):
        pace.took(0.1)
    assert pace.patience(2.0) == 0.1
    assert pace.patience(0.1) == 0.05


def test_of_many_slow_calls_few_are_hedged() -> None:
    pace, calls, hedged = Pace(), 10 * MOST_HEDGES, 0
    for _ in range(calls):
        pace.called()
        hedged += pace.allows_a_hedge()
    assert MOST_HEDGES < hedged <= MOST_HEDGES + HEDGES_PER_CALL * calls
