"""A benchmark ends, whatever those do whom it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.engine import BUDGET_MS, CLIENTS, Load, closed_loop, measured, of_a_server, open_loop
from bench.peers.open_inference import SERVERS
from cds.deadline import Deadline
from cds.errors import Away, Busy
from cds.settings import Settings

SECONDS = 0.01


def test_each_client_asks_until_the_time_is_over() -> None:
    load = closed_loop(lambda: None, clients=3, seconds=SECONDS)
    assert len(load.answered) >= 3
    assert load.seconds >= SECONDS


def test_a_load_that_does_not_wait_asks_as_often_as_it_should_whatever_comes_of_it() -> None:
    asked: list[Deadline] = []

    def ask(deadline: Deadline) -> None:
        asked.append(deadline)
        if len(asked) % 2:
            raise Busy("there is too much to do")

    load = open_loop(ask, per_second=1000, seconds=SECONDS)
    assert len(load.answered) + len(load.refused) == len(asked) == 1000 * SECONDS
    assert all(deadline.at - asked[0].at <= SECONDS for deadline in asked)
    assert min(load.answered + load.refused) >= 0
    assert asked[0].remaining < BUDGET_MS / 1000


def test_a_load_that_does_not_wait_tells_what_went_wrong() -> None:
    def ask(deadline: Deadline) -> None:
        raise Away("the engine is gone")

    with pytest.raises(Away, match="gone"):
        open_loop(ask, per_second=1000, seconds=SECONDS)


def test_a_failure_ends_what_is_measured_and_keeps_what_was() -> None:
    calls = iter(range(CLIENTS[0]))

    def twice() -> None:
        if next(calls, None) is None:
            raise Away("the server is gone")

    loads: dict[tuple[str, str, int], Load] = {}
    asks = {("image", "one that answers"): lambda: None, ("image", "one that fails"): twice}
    with pytest.raises(Away, match="gone"):
        loads.update(measured(asks, SECONDS))
    assert list(loads) == [("image", "one that answers", CLIENTS[0])]


def test_nothing_is_begun_when_the_time_is_over() -> None:
    with pytest.raises(Busy):
        dict(measured({("image", "a peer"): lambda: None}, SECONDS, until=Deadline.after(0)))


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("python", ["sleep 600", "exit 3"], ids=["hangs", "fails"])
def test_a_peer_that_does_not_start_is_a_sentence(
    name: str, python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variable, _ = SERVERS[name]
    (program := tmp_path / "python").write_text(f"#!/bin/sh\n{python}\n")
    program.chmod(0o700)
    monkeypatch.setenv(variable, str(program))
    assert list(of_a_server(name, tmp_path, Settings(), SECONDS, starting_s=0.3)) == []
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{name} is not measured")
