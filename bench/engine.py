"""``python -m bench.engine``: the engine process under load, beside the same weights called without it.

What is measured
    *Image*: a framed picture to its probabilities. *Sentence*: a note of one sentence, which is as much as a
    pipeline can be asked. Each at 1, 8, 32 and 128 clients, each client in a thread of its own that asks again as
    soon as it is answered. Sightline is the engine process (``cds engine``) asked over its socket, one for all.

The peers, in the same run, one after another
    *Naive*: the same readers in the process of the clients, torch called once for each request, from any thread.
    *Pipeline*: Hugging Face's ``text-classification`` of the note bundle, likewise.
    *Ray Serve* (two replicas), *MLServer*, *Triton* and *KServe*, each by itself, where ``RAY_PYTHON`` and so on
    name a Python that has it (docs/remote-engine.md): asked as our engine asks them, over HTTP. What does not
    start, fails or hangs is named and left out.

Overload
    In turns, for a machine's speed changes: the most that is answered, by 32 clients that each ask again at once;
    and three times as many requests a second as that, evenly, whether or not those before are answered, each with
    a hook's budget from the moment it was due. What is not answered has to be refused at once, by
    :class:`~cds.errors.Busy`.

Memory
    Proportional set sizes (what a process shares with others counts in parts), of four web workers with their
    engine, and of one process that holds all models, each after the same films and as many notes.

The clients, the engine and the peers share one machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.hospital import free_ports, hospital
from bench.load import Verdict, run
from bench.peers.open_inference import SERVERS, python_of
from bench.report import Row, at_least, at_most, device, figure, goals, percentile, ratio, table, write_json
from cds.deadline import NEVER, Deadline
from cds.ehr.documents import Document
from cds.engine.image import ImageReader, black
from cds.engine.kept import kept_file
from cds.engine.local import LocalEngine
from cds.engine.note import NoteReader
from cds.engine.process.client import EngineProcess
from cds.engine.remote import remote_networks
from cds.errors import Busy, ConfigurationError, SightlineError
from cds.inference.engine import Models
from cds.inference.socket import socket_of
from cds.notes.deidentification.known import KnownIdentifiers
from cds.processes import Processes, ProcessFailed
from cds.serving import environment, logs, python
from cds.settings import Settings

OURS, NAIVE, PIPELINE = "Sightline", "naive", "pipeline"
IMAGE, SENTENCE = "image", "sentence"
CLIENTS = (1, 8, 32, 128)
TEXT = "Small right pleural effusion with adjacent atelectasis, slightly increased since study {}."
BUDGET_MS = Settings().hook_budget_ms
OVERLOAD, AT_PEAK, ROUNDS = 3, 32, 5
"""So many times as much as so many clients are answered, in so many turns."""
AT_ONCE_MS = 50
MOST_UNDER_WAY = 128
"""Of a load that does not wait: some three times as many as are let in at once. Were it more, those that are due
would be late, and counted so."""
TO_BEGIN_S = 0.2
WORKERS = 4
STARTING_S = 180.0
"""Of our engine, and of a peer's server: torch is imported several times, on a machine that may be busy."""
ASKING_MS = 20_000
"""Of one call to a peer's server."""
PEER_MS = 60_000
"""Of one peer's server that has started: later nothing more is asked of it, and the next one has its turn."""
FOUND_OUT_MS = 120_000
"""Until the engine knows how heat maps are made best."""

Ask = Callable[[], object]


@dataclass(slots=True)
class Load:
    """What came of one load."""

    seconds: float
    answered: list[float] = field(default_factory=list)
    """Milliseconds of each answer."""
    refused: list[float] = field(default_factory=list)
    """Milliseconds until each refusal."""

    @property
    def per_second(self) -> float:
        return len(self.answered) / self.seconds

    def and_then(self, other: Load) -> Load:
        return Load(self.seconds + other.seconds, self.answered + other.answered, self.refused + other.refused)


Measured = tuple[tuple[str, str, int], Load]
"""What is asked, of whom, by how many clients, and what came of it."""


def main() -> None:
    """Exit code 0 whether or not the goals are met: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description="The engine process under load.")
    parser.add_argument("--quick", action="store_true", help="shorter, and less exact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    seconds = 0.5 if arguments.quick else 1.5
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as home:
        settings = Settings(data_dir=Path(home) / "engine")
        with engine(settings) as ours:
            loads = dict(measured(of_the_engine(ours, settings) | beside(settings), seconds))
            peak, over = overload(ours, settings, seconds)
        for name in SERVERS:
            loads.update(of_a_server(name, Path(home), settings, seconds))
        taken = memory(Path(home) / "web")
    rows = [*load_rows(loads), *overload_rows(peak, over), *memory_rows(*taken)]
    print(printed(loads), goals(rows), device(), sep="\n\n")
    if arguments.json:
        write_json(arguments.json, rows)


@contextmanager
def engine(settings: Settings) -> Iterator[EngineProcess]:
    ours = EngineProcess(socket_of(settings), Models.in_use(settings).digests)
    with Processes(logs(settings)) as processes:
        started = processes.start("engine", python("-m", "cds.cli", "engine"), environment(settings))
        processes.wait(started, ours.ready, STARTING_S)
        yield ours


def measured(asks: Mapping[tuple[str, str], Ask], seconds: float, until: Deadline = NEVER) -> Iterator[Measured]:
    """Raises what is raised by whoever is asked, and :class:`Busy` rather than begin a load after ``until``."""
    for clients in CLIENTS:
        for (what, who), ask in asks.items():
            if until.passed:
                raise Busy("the time of its like is over")
            say(f"{what}, {who}, clients: {clients}")
            yield (what, who, clients), closed_loop(ask, clients, seconds)


def unheard() -> str:
    """A sentence that nobody has scored: what was read before the engine still knows."""
    return TEXT.format(secrets.randbelow(10**9))


def say(sentence: str) -> None:
    """How it goes; the results alone are printed."""
    print(sentence, file=sys.stderr, flush=True)


def of_the_engine(ours: EngineProcess, settings: Settings) -> dict[tuple[str, str], Ask]:
    picture = black(Models.in_use(settings).image) + np.float32(0.5)
    return {
        (IMAGE, OURS): lambda: ours("score image", NEVER, picture),
        (SENTENCE, OURS): lambda: ours("score note", NEVER, unheard()),
    }


def of_a_server(
    name: str, home: Path, settings: Settings, seconds: float, starting_s: float = STARTING_S
) -> Iterator[Measured]:
    """Of another maker's, as far as it is here, starts and answers."""
    try:
        with server(name, home, settings, starting_s) as asks:
            yield from measured(asks, seconds, Deadline.after(PEER_MS))
    except (SightlineError, subprocess.SubprocessError, OSError) as failure:
        say(f"{name} is not measured, or no further: {failure}")


@contextmanager
def server(name: str, home: Path, settings: Settings, within_s: float) -> Iterator[dict[tuple[str, str], Ask]]:
    """Another maker's with the same weights; raises what its start raises."""
    variable, start = SERVERS[name]
    python = python_of(variable)
    if not python:
        raise ConfigurationError(f"{variable} names no Python that has it")
    models, served, (port, _) = Models.in_use(settings), home / name, free_ports(2)
    for bundle in (models.image, models.note):
        shutil.copytree(bundle.directory, served / "models" / bundle.directory.name)
    with start(python, served, port, served / "models", within_s) as started:
        there = replace(settings, engine_urls=started.url, upstream_timeout_ms=ASKING_MS)
        image, note = remote_networks(there, models.image, models.note)
        held = LocalEngine(ImageReader(models.image, image), models.note, NoteReader.of(models.note, note))
        yield asked(held, name)


def asked(held: LocalEngine, who: str) -> dict[tuple[str, str], Ask]:
    picture = black(held.image_bundle) + np.float32(0.5)
    return {
        (IMAGE, who): lambda: held.score_image(picture),
        (SENTENCE, who): lambda: held.score_note(unheard()),
    }


def beside(settings: Settings) -> dict[tuple[str, str], Ask]:
    """The same weights in this process."""
    from transformers import pipeline  # noqa: PLC0415 (seconds; not for --help)

    models = Models.in_use(settings)
    naive = LocalEngine.load(models.image, models.note, device=settings.device)
    directory = str(models.note.directory)
    classify: Any = pipeline("text-classification", model=directory, tokenizer=directory, device="cpu")
    return asked(naive, NAIVE) | {
        (SENTENCE, PIPELINE): lambda: classify(unheard(), top_k=None, function_to_apply="sigmoid"),
    }


def closed_loop(ask: Ask, clients: int, seconds: float) -> Load:
    """Each client asks, and asks again as soon as it is answered; raises what ``ask`` raises."""
    ask()
    load, begun = Load(seconds), time.perf_counter()

    def client() -> None:
        at = time.perf_counter()
        while True:
            ask()
            load.answered.append((time.perf_counter() - at) * 1000)
            at = time.perf_counter()
            if at >= begun + seconds:
                return

    with ThreadPoolExecutor(clients) as threads:
        asking = [threads.submit(client) for _ in range(clients)]
    load.seconds = time.perf_counter() - begun
    for each in asking:
        each.result()
    return load


def overload(ours: EngineProcess, settings: Settings, seconds: float) -> tuple[Load, Load]:
    """The most that is answered, and what is when :data:`OVERLOAD` times as much is asked."""
    picture = black(Models.in_use(settings).image) + np.float32(0.5)
    peak, over = Load(0.0), Load(0.0)
    for turn in range(ROUNDS):
        say(f"{IMAGE}, {OVERLOAD} times too many, turn {turn + 1} of {ROUNDS}")
        most = closed_loop(lambda: ours("score image", NEVER, picture), AT_PEAK, seconds)
        many = open_loop(lambda by: ours("score image", by, picture), OVERLOAD * most.per_second, seconds)
        peak, over = peak.and_then(most), over.and_then(many)
    return peak, over


def open_loop(ask: Callable[[Deadline], object], per_second: float, seconds: float) -> Load:
    """So many requests a second, whether or not those before are answered; raises what ``ask`` raises but Busy."""
    load, begun = Load(seconds), time.monotonic() + TO_BEGIN_S
    dues = iter([begun + number / per_second for number in range(int(per_second * seconds))])

    def client() -> None:
        for due in dues:
            time.sleep(max(0.0, due - time.monotonic()))
            came = load.answered
            try:
                ask(Deadline.after(BUDGET_MS, since=due))
            except Busy:
                came = load.refused
            came.append((time.monotonic() - due) * 1000)

    with ThreadPoolExecutor(MOST_UNDER_WAY) as threads:
        asking = [threads.submit(client) for _ in range(MOST_UNDER_WAY)]
    load.seconds = time.monotonic() - begun
    for each in asking:
        each.result()
    return load


def memory(home: Path) -> tuple[float, float]:
    """MiB of four web workers with their engine, and of one process with the models, after the same films."""
    with hospital(home, web_workers=WORKERS) as everyone:
        films = home / "films"
        films.mkdir()
        for number, film in enumerate(film for patient in everyone.patients for film in patient.instances):
            (films / str(number)).write_bytes(film)
        calls = [everyone.call(everyone.order_signed(patient)) for patient in everyone.patients * WORKERS]
        run(everyone.service_url, calls, lambda answer: Verdict.WHOLE, clients=WORKERS, seconds=30)
        _wait_for_heat_maps(everyone.settings)
        ours = sum(map(mebibytes, descendants(everyone.web.popen.pid)))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as one:
        return ours, one.submit(_all_in_one, films).result()


def _wait_for_heat_maps(settings: Settings) -> None:
    """Until it is found out how they are made best; a process of its own does that, once and for all."""
    found_out = kept_file(Models.in_use(settings).image, settings.home() / "engine", "saliency")
    until = Deadline.after(FOUND_OUT_MS)
    while not found_out.exists():
        if until.passed:
            say("what finds out how heat maps are made best still runs, and counts as memory of ours")
            return
        time.sleep(0.5)


def _all_in_one(films: Path) -> float:
    """As one writes it by hand: the service's code, all models in torch, and as many threads as workers above."""
    import cds.app  # noqa: F401, PLC0415
    from cds.inference.reading import Reading, here  # noqa: PLC0415

    models = Models.in_use(Settings())
    held = here(models, Reading.of(models, b"k" * 32), LocalEngine.load(models.image, models.note))
    nobody = KnownIdentifiers(subject="x")

    def prescreen(film: Path) -> None:
        held.score_film(held.read_film(film.read_bytes(), NEVER), NEVER)
        read = held.read_notes([Document("", "", None, "text/plain", unheard().encode())], nobody, NEVER)
        held.evidence(read, held.score_notes(read, NEVER), NEVER)

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(prescreen, sorted(films.iterdir()) * WORKERS))
        return mebibytes(os.getpid())


def descendants(pid: int) -> list[int]:
    """A process, its children, and theirs."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return [pid, *(each for child in listed.stdout.split() for each in descendants(int(child)))]


def mebibytes(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024


def load_rows(loads: Mapping[tuple[str, str, int], Load]) -> Iterator[Row]:
    goal = {1: 0.95, 32: 1.3}
    for (what, who, clients), load in loads.items():
        if who != OURS:
            continue
        naive = loads[what, NAIVE, clients].per_second
        share, wanted = ratio(load.per_second, naive), goal.get(clients)
        yield Row(
            f"{what}, {clients} clients",
            load.per_second,
            "1/s",
            peer=naive,
            ratio=share,
            goal=f"at least {wanted} times the naive call" if wanted else "",
            met=at_least(wanted, share) if wanted else None,
            device=device(),
        )


def overload_rows(peak: Load, over: Load) -> Iterator[Row]:
    what, share = f"{IMAGE}, {OVERLOAD} times too many", ratio(over.per_second, peak.per_second)
    for came, times, limit, limited in (
        ("of the answered", over.answered, BUDGET_MS, f"below the budget of {BUDGET_MS} ms"),
        ("until refused", over.refused, AT_ONCE_MS, f"at once: below {AT_ONCE_MS} ms"),
    ):
        p99 = percentile(times, 99)
        yield Row(f"{what}: p99 {came}", p99, "ms", goal=limited, met=at_most(limit, p99), device=device())
    yield Row(
        f"{what}: answered",
        over.per_second,
        "1/s",
        peer=peak.per_second,
        ratio=share,
        goal="at least 0.9 of the peak",
        met=at_least(0.9, share),
        device=device(),
    )


def memory_rows(ours: float, one: float) -> Iterator[Row]:
    share = ratio(ours, one)
    yield Row(
        f"memory of {WORKERS} web workers and the engine",
        ours,
        "MiB",
        peer=one,
        ratio=share,
        goal="below 1.3 times one process with the models",
        met=at_most(1.3, share),
        device=device(),
    )


def printed(loads: Mapping[tuple[str, str, int], Load]) -> str:
    header = ["asked, of whom", "clients", "1/s", "p50 ms", "p95 ms", "p99 ms"]
    lines = [
        [
            f"{what}, {who}",
            str(clients),
            figure(load.per_second),
            *(figure(percentile(load.answered, percent)) for percent in (50, 95, 99)),
        ]
        for (what, who, clients), load in loads.items()
    ]
    return table(header, sorted(lines, key=lambda line: line[0]))


if __name__ == "__main__":
    try:
        main()
    except ProcessFailed as failure:
        sys.exit(f"nothing is measured: {failure}")
