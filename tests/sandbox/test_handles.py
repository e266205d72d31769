"""Handles: each good for a while, and for one who takes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cds.sandbox.handles import Handles


def test_a_handle_cannot_be_guessed_and_leads_to_its_value() -> None:
    handles: Handles[str] = Handles(60)
    first, second = handles.issue("a"), handles.issue("a")

    assert first != second
    assert len(first) >= 43
    assert handles.get(first) == "a"
    assert handles.get("made-up") is None


def test_of_many_who_take_it_at_once_one_gets_it() -> None:
    handles: Handles[str] = Handles(60)
    handle = handles.issue("a")
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: handles.take(handle), range(64)))

    assert taken.count("a") == 1


def test_it_ends_with_its_time() -> None:
    now = [1000.0]
    handles: Handles[str] = Handles(60, clock=lambda: now[0])
    handle = handles.issue("a")
    handles.keep("longer", "b", until=2000)
    now[0] += 60

    assert handles.get(handle) is None
    assert handles.get("longer") == "b"


def test_what_is_held_is_not_overwritten() -> None:
    handles: Handles[str] = Handles(60)

    assert handles.keep("jti", "a")
    assert not handles.keep("jti", "b")
    assert handles.get("jti") == "a"


def test_the_oldest_go_where_there_are_too_many() -> None:
    handles: Handles[int] = Handles(60, limit=2)
    first, second, third = (handles.issue(number) for number in range(3))

    assert [handles.get(handle) for handle in (first, second, third)] == [None, 1, 2]


def test_all_handles_to_a_value_are_taken_together() -> None:
    handles: Handles[str] = Handles(60)
    mine, other = {handles.issue("a"), handles.issue("a")}, handles.issue("b")

    assert set(handles.take_all("a")) == mine
    assert handles.get(other) == "b"
