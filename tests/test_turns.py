"""A few at a time, and nobody waits long for who is held up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from cds.turns import Turns


def test_no_more_go_ahead_at_once() -> None:
    turns, most, inside = Turns(at_once=2, patience_s=60), 0, 0
    lock = threading.Lock()

    def go(_: int) -> None:
        nonlocal most, inside
        with turns.one():
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(go, range(200)))
    assert most <= 2
    assert inside == 0


def test_who_has_waited_long_enough_goes_ahead_and_gives_back_no_turn_of_another() -> None:
    turns = Turns(at_once=1, patience_s=0.01)
    for _ in range(3):
        with turns.one(), turns.one():
            pass
