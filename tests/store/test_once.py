"""The same question is answered once at a time, in one process and among several."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from cds.store.once import Once
from cds.store.valkey import Valkey

LEASE_S = 1.0
"""Shorter than an answer that the tests hold up."""


class Question:
    """Answered slowly, and kept."""

    def __init__(self) -> None:
        self.key = str(uuid.uuid4())
        self.asked = 0
        self.begun, self.go_on = Event(), Event()
        self.answer_kept: str | None = None

    def kept(self) -> str | None:
        return self.answer_kept

    def answer(self) -> str:
        self.asked += 1
        self.begun.set()
        assert self.go_on.wait(10)
        self.answer_kept = f"answer {self.asked}"
        return self.answer_kept


@pytest.fixture
def question() -> Question:
    return Question()


def ask(once: Once, question: Question) -> Callable[[], str]:
    return lambda: once(question.key, question.kept, question.answer)


def test_what_is_kept_is_not_asked_again(valkey: Valkey, question: Question) -> None:
    question.answer_kept = "known"
    assert ask(Once(valkey), question)() == "known"
    assert question.asked == 0


def test_whether_it_is_being_answered_can_be_asked(valkey: Valkey, question: Question) -> None:
    once = Once(valkey)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask(once, question))
        assert question.begun.wait(10)
        assert once.answering(question.key)
        question.go_on.set()
        first.result(10)
    assert not once.answering(question.key)


@pytest.mark.parametrize("processes", [1, 2])
def test_who_comes_second_waits_for_the_first(processes: int, valkey: Valkey, question: Question) -> None:
    """Two instances that share no memory but Valkey stand for two processes."""
    workers = [Once(valkey) for _ in range(processes)]
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask(workers[0], question))
        assert question.begun.wait(10)
        rest = [pool.submit(ask(workers[n % processes], question)) for n in range(7)]
        question.go_on.set()
        assert {due.result(10) for due in (first, *rest)} == {"answer 1"}


def test_a_failure_is_told_to_all_who_wait_in_the_process(valkey: Valkey, question: Question) -> None:
    once = Once(valkey)

    def failing() -> str:
        question.begun.set()
        assert question.go_on.wait(10)
        raise LookupError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once, question.key, question.kept, failing)
        assert question.begun.wait(10)
        second = pool.submit(once, question.key, question.kept, question.answer)
        while not second.running():
            pass
        question.go_on.set()
        assert isinstance(first.exception(10), LookupError)
        second.exception(10)
    assert ask(once, question)() in ("answer 1", "answer 2")


def test_another_process_answers_for_itself_where_the_first_failed(valkey: Valkey, question: Question) -> None:
    def failing() -> str:
        question.begun.set()
        assert question.go_on.wait(10)
        raise LookupError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(Once(valkey), question.key, question.kept, failing)
        assert question.begun.wait(10)
        second = pool.submit(ask(Once(valkey), question))
        question.go_on.set()
        assert isinstance(first.exception(10), LookupError)
        assert second.result(10) == "answer 1"


def test_who_takes_longer_than_a_lease_lasts_is_still_alone(valkey: Valkey, question: Question) -> None:
    """Where a lease is not prolonged, the question is asked again while it is being answered."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask(Once(valkey, lease_s=LEASE_S), question))
        assert question.begun.wait(10)
        second = pool.submit(ask(Once(valkey, lease_s=LEASE_S), question))
        with pytest.raises(TimeoutError):
            second.result(1.5 * LEASE_S)
        question.go_on.set()
        assert first.result(10) == second.result(10) == "answer 1"
    assert question.asked == 1


def test_the_lease_of_a_process_that_died_ends(valkey: Valkey, question: Question) -> None:
    valkey.once(f"answering:{question.key}", 0.1)
    question.go_on.set()
    assert ask(Once(valkey), question)() == "answer 1"


def test_without_valkey_each_process_answers_for_itself(question: Question) -> None:
    away = Valkey("redis://127.0.0.1:9", timeout_s=0.2)
    question.go_on.set()
    assert ask(Once(away), question)() == "answer 1"
