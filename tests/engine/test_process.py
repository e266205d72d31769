"""One process holds the models, others compute; whichever of them dies, whoever asked gets an answer."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Client
from pathlib import Path
from socket import AF_UNIX
from socket import socket as Socket

import pytest

from cds.deadline import Deadline
from cds.engine.process.client import EngineProcess, Refusal
from cds.engine.process.messages import Call
from cds.errors import Away, Busy, ModelError, NoteError
from cds.processes import Process, Processes
from cds.settings import PACKAGE_ROOT

GREETING = "small"
HANGS_S = 0.2


def soon() -> Deadline:
    return Deadline.after(30_000)


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine") / "engine.sock"


@pytest.fixture(scope="module")
def process(socket: Path) -> Iterator[Process]:
    with Processes(socket.parent) as processes:
        environ = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
        process = processes.start(
            "engine", [sys.executable, "-m", "tests.engine.small_engine", str(socket)], environ
        )
        processes.wait(process, EngineProcess(socket, GREETING).ready, 60)
        yield process


@pytest.fixture
def ask(process: Process, socket: Path) -> EngineProcess:
    return EngineProcess(socket, GREETING)


def stop(pid: int) -> None:
    """All its threads; none of them answers a last call."""
    os.kill(pid, signal.SIGSTOP)
    while any("State:\tT" not in status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")):
        time.sleep(0.01)


@contextmanager
def cores_held(ask: EngineProcess, directory: Path) -> Iterator[list[Future[None]]]:
    """Within the context both cores have begun something that does not end."""
    may = directory / "may"
    with ThreadPoolExecutor(2) as threads:
        held = [threads.submit(ask, "wait for", soon(), may) for _ in range(2)]
        while len(list(directory.glob("may.*"))) < len(held):
            time.sleep(0.01)
        try:
            yield held
        finally:
            may.touch()
        for one in held:
            one.result()


UNFIT = """
from cds.engine.process.supervisor import supervise
from cds.errors import ModelError

def hold():
    raise ModelError("they do not fit")

supervise({"models": hold})
"""


def test_an_engine_that_cannot_run_its_models_says_so_once_and_ends() -> None:
    command, environ = [sys.executable, "-c", UNFIT], {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.stderr.count("they do not fit") == 1
    assert "ConfigurationError: the engine cannot run its models here" in ended.stderr


def test_the_models_answer(ask: EngineProcess) -> None:
    assert ask("double", soon(), 21) == 42


def test_a_core_answers_from_a_process_of_its_own(ask: EngineProcess, process: Process) -> None:
    assert ask("pid after", soon(), 0) not in (process.popen.pid, os.getpid())


def test_the_cores_work_side_by_side(ask: EngineProcess) -> None:
    with ThreadPoolExecutor(2) as threads:
        pids = [threads.submit(ask, "pid after", soon(), 0.5) for _ in range(2)]
    assert len({pid.result() for pid in pids}) == 2


def test_what_is_refused_is_refused_in_the_same_words(ask: EngineProcess) -> None:
    with pytest.raises(NoteError, match="it cannot be read"):
        ask("refuse", soon())


def test_a_refusal_keeps_out_for_a_moment_what_has_about_as_much_time() -> None:
    just_now, before = Refusal(time.monotonic() + 60, left_s=100), Refusal(time.monotonic() - 60, left_s=100)
    assert just_now.holds_for(Deadline.after(90_000))
    assert just_now.holds_for(Deadline.after(105_000))
    assert not just_now.holds_for(Deadline.after(200_000))
    assert not before.holds_for(Deadline.after(90_000))


def test_a_refusal_keeps_out_nothing_that_is_more_urgent() -> None:
    assert not Refusal(time.monotonic() + 60, left_s=100).holds_for(Deadline.after(1_000))


def test_what_is_too_late_already_is_refused_without_asking(tmp_path: Path) -> None:
    with pytest.raises(Busy):
        EngineProcess(tmp_path / "nobody listens here", GREETING)("double", Deadline.after(0), 1)


def test_after_a_refusal_who_has_more_time_is_answered(ask: EngineProcess) -> None:
    with pytest.raises(Busy):
        ask("pid after", Deadline.after(0), 0)
    assert ask("pid after", soon(), 0) > 0


def test_a_defect_tells_nothing_of_what_it_was_given(ask: EngineProcess, process: Process) -> None:
    with pytest.raises(Away, match="a fault of ours") as told:
        ask("fail", soon(), "Rosa Marbury")
    assert "Rosa" not in str(told.value)
    log = process.log.read_text()
    assert "ValueError at fail" in log
    assert "Rosa" not in log


def test_what_cannot_be_begun_in_time_is_refused_by_then(ask: EngineProcess, tmp_path: Path) -> None:
    with cores_held(ask, tmp_path) as held:
        with pytest.raises(Busy):
            ask("pid after", Deadline.after(100), 0)
        assert not any(one.done() for one in held)


def test_what_was_not_begun_for_a_caller_that_is_gone_never_is(
    ask: EngineProcess, socket: Path, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    with cores_held(ask, tmp_path), Client(str(socket), "AF_UNIX") as caller:
        caller.send("caller")
        assert caller.recv() == GREETING
        caller.send(Call("touch", soon().at))
        caller.send_bytes(pickle.dumps((touched,)))
    # What is less urgent is done, so the other's turn was before.
    assert ask("pid after", Deadline.after(60_000), 0) > 0
    assert not touched.exists()


def test_a_core_that_is_killed_is_replaced_and_its_work_done_by_another(
    ask: EngineProcess, tmp_path: Path
) -> None:
    assert ask("die once", soon(), tmp_path / "mark") == "done"


def test_a_core_that_hangs_is_killed_and_its_work_done_by_another(ask: EngineProcess, tmp_path: Path) -> None:
    assert ask("stop once", soon(), tmp_path / "mark") == "done"
    with ThreadPoolExecutor(2) as threads:
        pids = [threads.submit(ask, "pid after", soon(), 0.5) for _ in range(2)]
    assert len({pid.result() for pid in pids}) == 2


def test_what_breaks_every_core_is_given_up(ask: EngineProcess) -> None:
    with pytest.raises(Away, match="breaks the process"):
        ask("die", soon())
    assert ask("pid after", soon(), 0)


def test_when_the_models_die_whoever_asked_asks_again(ask: EngineProcess) -> None:
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(ask, "sleep", soon(), 1.0)
        time.sleep(0.2)
        with pytest.raises(Away):
            ask("die here", Deadline.after(10))
        assert ask("double", soon(), 4) == 8
        assert under_way.result() is None


def test_when_the_models_are_stopped_others_take_their_place_and_answer(ask: EngineProcess) -> None:
    before = ask("pid here", soon())
    stop(before)
    assert ask("pid here", Deadline.after(120_000)) != before


def test_when_a_model_never_returns_others_take_its_place(ask: EngineProcess, process: Process) -> None:
    before = ask("pid here", soon())
    with pytest.raises(Away):
        ask("hang here", Deadline.after(100))
    assert ask("pid here", soon()) != before
    assert "no sign of life of the engine's models" in process.log.read_text()


def test_the_socket_is_its_users_alone(process: Process, socket: Path) -> None:
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_an_engine_of_other_models_is_not_used(process: Process, socket: Path) -> None:
    other = EngineProcess(socket, "other models")
    assert not other.ready()
    with pytest.raises(ModelError, match="other models"):
        other("double", soon(), 1)


def test_who_asks_whether_it_is_ready_leaves_nothing_open(ask: EngineProcess) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert all(ask.ready() for _ in range(20))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("milliseconds", [1e18, float("inf")])
def test_whoever_has_all_the_time_there_is_gets_an_answer(ask: EngineProcess, milliseconds: float) -> None:
    assert ask("double", Deadline.after(milliseconds), 3) == 6


def test_an_engine_that_is_not_there_is_waited_for_as_long_as_there_is_time(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(Away, match="not there"):
        EngineProcess(tmp_path / "engine.sock", GREETING)("double", Deadline.after(200), 1)
    assert 0.1 < time.monotonic() - begun < 10


def _is_let_in(path: Path, waiting: ExitStack) -> bool:
    caller = waiting.enter_context(Socket(AF_UNIX))
    caller.setblocking(False)
    return caller.connect_ex(str(path)) == 0


class TestHanging:
    """An engine that takes calls and says no more holds nobody for good: neither a hook's thread nor a probe's."""

    @pytest.fixture
    def hanging(self, tmp_path: Path) -> Iterator[Path]:
        """It does not even greet."""
        path = tmp_path / "engine.sock"
        with Socket(AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen(2)
            yield path

    def test_it_is_not_ready(self, hanging: Path) -> None:
        assert not EngineProcess(hanging, GREETING).ready()

    def test_it_is_away_at_the_deadline(self, hanging: Path) -> None:
        with pytest.raises(Away):
            EngineProcess(hanging, GREETING, HANGS_S)("double", Deadline.after(200), 1)

    def test_it_is_away_at_the_deadline_even_where_it_lets_nobody_in(self, hanging: Path) -> None:
        """As one that was stopped does, as soon as its backlog is full."""
        with ExitStack() as waiting:
            while _is_let_in(hanging, waiting):
                pass
            with pytest.raises(Away):
                EngineProcess(hanging, GREETING, HANGS_S)("double", Deadline.after(200), 1)

    def test_what_it_began_is_given_up_some_time_after_the_deadline(self, process: Process, socket: Path) -> None:
        ask = EngineProcess(socket, GREETING, HANGS_S)
        assert ask("double", soon(), 1) == 2
        with pytest.raises(Away):
            ask("sleep", Deadline.after(200), 2.0)

    def test_it_need_not_even_read(self, process: Process, socket: Path) -> None:
        ask = EngineProcess(socket, GREETING, HANGS_S)
        models = ask("pid here", soon())
        stop(models)
        try:
            with pytest.raises(Away):
                ask("double", Deadline.after(200), bytes(16 * 1024 * 1024))
        finally:
            os.kill(models, signal.SIGCONT)
        assert ask("double", soon(), 2) == 4
