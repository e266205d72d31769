"""What of a call's budget is left to look: calls are told in turn, so that the first of a crowd has the least."""

from __future__ import annotations

from contextlib import ExitStack

from cds.deadline import Deadline
from cds.hooks.call import MOST_TELLING, TELLING_MS, TELLING_NEXT_MS, TELLING_OTHERS_MS, UnderWay

BUDGET_MS = 450
ALONE_MS = BUDGET_MS - TELLING_MS


def until(deadline: Deadline) -> float:
    """Milliseconds from when the clock of these tests began."""
    return round(deadline.at * 1000, 3)


def test_alone_one_may_look_until_it_is_time_to_tell() -> None:
    with UnderWay().one_more(0.0, BUDGET_MS) as deadline:
        assert until(deadline) == ALONE_MS


def test_who_came_before_is_told_before() -> None:
    calls = UnderWay()
    with ExitStack() as crowd:
        deadlines = [crowd.enter_context(calls.one_more(0.0, BUDGET_MS)) for _ in range(3)]
        last = ALONE_MS - 2 * TELLING_OTHERS_MS
        assert [until(deadline) for deadline in deadlines] == [
            last - 2 * TELLING_NEXT_MS,
            last - TELLING_NEXT_MS,
            last,
        ]


def test_who_comes_long_after_brings_no_deadline_nearer() -> None:
    calls = UnderWay()
    with calls.one_more(0.0, BUDGET_MS) as first, calls.one_more(0.1, BUDGET_MS) as second:
        assert (until(first), until(second)) == (ALONE_MS, 100 + ALONE_MS - TELLING_OTHERS_MS)


def test_who_goes_puts_no_deadline_off() -> None:
    calls = UnderWay()
    with calls.one_more(0.0, BUDGET_MS) as first:
        with calls.one_more(0.0, BUDGET_MS):
            among_two = until(first)
        assert until(first) == among_two < ALONE_MS


def test_a_crowd_leaves_each_a_third() -> None:
    calls = UnderWay()
    with ExitStack() as crowd:
        deadlines = [crowd.enter_context(calls.one_more(0.0, BUDGET_MS)) for _ in range(100)]
        assert set(map(until, deadlines)) == {round(BUDGET_MS * (1 - MOST_TELLING), 3)}
