"""``python -m bench.hooks``: how long an order-sign takes, beside two services that do nothing for the same card.

What is measured
    Sightline as it is deployed: gunicorn with ``deploy/gunicorn.conf.py`` and default settings, embedded
    PostgreSQL and Valkey, the worker, the sandbox EHR and PACS. Every call has a JWT and a ``hookInstance`` of
    its own, and brings what the service asks to be prefetched. Every answer is looked at after the clock has
    stopped; one that is not 200, or whose cards are not what they must be, has failed and is not timed.

    *Warm* repeats the calls for the patients of whom there is something to say, in rotation. Their scores are
    known; all else is done each time: JWT and replay mark, the chart with a read of the EHR for what was not
    prefetched, the reading of what is recorded, the cards, the audit.

    *First* is the first order-sign for a patient whom the EHR has just come to know. Each time the film is fetched
    and decoded, the notes are fetched and de-identified, both models run, and a report is recorded, which the
    worker delivers meanwhile. *Worked ahead*: the chart was opened before (patient-view), and what that began had
    ended. *Cold*: no hook was fired before. *PACS hangs*: cold, and the PACS takes the call and never answers. An
    answer is partial where a part was late: the card says so, and the part is finished after it.

The peers
    A HealthChain service (PyPI, pinned, in an environment of its own, under uvicorn as its guide has it, access
    log off) and a bare Flask route under the same gunicorn settings as ours. Both return one card of ours, are
    sent the same calls, and verify, read, store and audit nothing. HealthChain is the ``peer`` of the goals.

What to make of it
    The load generator (:mod:`bench.load`), the databases and all parties share one machine: at many clients they
    compete for its cores, and the faster a service is, the more of the generator is in its figures. The services
    are measured one after another at each number of clients, the idle ones running beside.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.hospital import Hospital, hospital
from bench.load import Answer, Measured, Request, Verdict, run
from bench.peers import FLASK, HEALTHCHAIN, Peer, flask_route, healthchain, installed
from bench.report import DASH, Row, at_least, at_most, device, figure, goals, ratio, table, write_json
from cds.settings import Settings

OURS = "Sightline"
CLIENTS = (1, 8, 32)
SETTLE_S = 20
SETTLED_MS = 60
AHEAD_S = 60
"""So long, at most, the charts of those worked ahead are being opened."""
LATEST_MS = Settings().hook_budget_ms + 50
PERCENTS = (50, 95, 99, 100)
LATE = b"was not scored in time"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: seconds for each number of clients, and the most calls that are made for them."""

    warm_s: float
    first_s: float
    warm_calls: int
    first_calls: int


FULL = Plan(warm_s=8, first_s=12, warm_calls=4000, first_calls=96)
QUICK = Plan(warm_s=1, first_s=2, warm_calls=300, first_calls=16)

WARM, AHEAD, COLD, HANGS = "warm", "first, worked ahead", "first, cold", "first, PACS hangs"
STATES = (WARM, AHEAD, COLD, HANGS)


Results = dict[tuple[str, str, int], Measured]
"""By one of :data:`STATES`, service, and number of clients."""


def main() -> None:
    """Exit code 0 whether or not the goals are met: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m bench.hooks", description="How long an order-sign takes.")
    parser.add_argument("--quick", action="store_true", help="shorter, and less exact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument(
        "--healthchain", type=Path, metavar="VENV", help="HealthChain's environment; made if it is not there"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as home:
        venv = installed(arguments.healthchain or Path(home) / "healthchain")
        with hospital(Path(home) / "data") as everyone:
            results = measure(everyone, venv, QUICK if arguments.quick else FULL)
    rows = list(rows_of(results))
    print(figures(results), goals(rows), device(), sep="\n\n")
    if arguments.json:
        write_json(arguments.json, rows)


def measure(everyone: Hospital, venv: Path | None, plan: Plan) -> Results:
    """Everything warm first: what a first call writes is still being delivered after it."""
    known, card = _known(everyone)
    ours, peers = Peer(OURS, everyone.service_url), [flask_route(everyone, card)]
    if venv:
        peers.insert(0, healthchain(everyone, card, venv))
    results: Results = {}
    for clients in CLIENTS:
        calls = [
            everyone.call(body) for body in itertools.islice(itertools.cycle(known.values()), plan.warm_calls)
        ]
        results[WARM, OURS, clients] = _measured(ours, calls, _advised, clients, plan.warm_s)
        for peer in peers:
            again = itertools.cycle(calls)
            results[WARM, peer.name, clients] = _measured(peer, again, _advised, clients, plan.warm_s)
    for state, clients in itertools.product((AHEAD, COLD, HANGS), CLIENTS):
        calls = _first_calls(everyone, [*known], state, plan.first_calls)
        _settle(everyone, next(iter(known.values())))
        results[state, OURS, clients] = _measured(ours, calls, _in_time, clients, plan.first_s)
    return results


def _first_calls(everyone: Hospital, like: Sequence[str], state: str, count: int) -> list[Request]:
    """A call for each of ``count`` newcomers; for those worked ahead, their charts have been opened."""
    by_id = {patient.id: patient for patient in everyone.patients}
    newcomers = [everyone.newcomer(by_id[id]) for id in itertools.islice(itertools.cycle(like), count)]
    bodies = [everyone.order_signed(newcomer) for newcomer in newcomers]
    if state == HANGS:
        bodies = [everyone.films_nowhere(body) for body in bodies]
    if state == AHEAD:
        opened = [everyone.call(everyone.chart_opened(body)) for body in bodies]
        run(everyone.service_url, opened, _in_time, clients=2, seconds=AHEAD_S)
        everyone.wait_until_known(newcomers, AHEAD_S)
    return [everyone.call(body) for body in bodies]


def _measured(
    service: Peer, calls: Iterable[Request], judge: Callable[[Answer], Verdict], clients: int, seconds: float
) -> Measured:
    print(f"{service.name}, clients: {clients}", file=sys.stderr, flush=True)
    return run(service.base_url, calls, judge, clients=clients, seconds=seconds)


def _known(everyone: Hospital) -> tuple[dict[str, Json], Json]:
    """The calls, by patient, of those with a film and notes and something to say of them, and one of the cards."""
    bodies, card = dict[str, Json](), None
    for patient in everyone.patients:
        if patient.fault is None and patient.study_uid:
            body = everyone.order_signed(patient)
            _once(everyone, body)
            _settle(everyone, body)
            given = _once(everyone, body)
            if given and body["prefetch"]["documents"].get("entry"):
                bodies[patient.id] = body
                card = max(card or given[0], given[0], key=lambda one: len(orjson.dumps(one)))
    assert card is not None, "no sample patient has a card"
    everyone.wait_until_delivered()
    return bodies, card


def _once(everyone: Hospital, body: Json) -> list[Json]:
    """The cards of one call."""
    given: list[Json] = []

    def keep(answer: Answer) -> Verdict:
        given.extend(_cards(answer))
        return Verdict.WHOLE

    run(everyone.service_url, [everyone.call(body)], keep, clients=1, seconds=5)
    return given


def _settle(everyone: Hospital, body: Json) -> None:
    """What is finished after its answer takes its time: wait until a call is whole and as quick as it can be."""
    due = time.monotonic() + SETTLE_S
    while time.monotonic() < due:
        one = run(everyone.service_url, [everyone.call(body)], _in_time, clients=1, seconds=5)
        if one.counts[Verdict.WHOLE] and one.answered[0] < SETTLED_MS:
            break
        time.sleep(0.5)
    everyone.wait_until_delivered()


def _cards(answer: Answer) -> list[Json]:
    cards: list[Json] = orjson.loads(answer.body)["cards"] if answer.status == 200 else []
    return cards


def _advised(answer: Answer) -> Verdict:
    return Verdict.WHOLE if _cards(answer) else Verdict.FAILED


def _in_time(answer: Answer) -> Verdict:
    """Whole where no part was late, which a card says; an answer without a card, of one with nothing, is whole."""
    if answer.status != 200:
        return Verdict.FAILED
    return Verdict.PARTIAL if LATE in answer.body else Verdict.WHOLE


def figures(results: Results) -> str:
    """Everything that was measured."""
    lines = [
        [
            f"{state}, {service}",
            str(clients),
            *(figure(one.ms(percent)) for percent in PERCENTS),
            figure(one.per_second),
            *(str(one.counts[verdict]) for verdict in Verdict),
        ]
        for (state, service, clients), one in sorted(results.items(), key=_by_state_and_service)
    ]
    if not any(service == HEALTHCHAIN for _, service, _ in results):
        lines.append([f"{HEALTHCHAIN} could not be installed here", *[DASH] * 9])
    header = ["order-sign", "clients", *(f"{_percent(p)} ms" for p in PERCENTS), "requests/s"]
    header += [verdict.value for verdict in Verdict]
    return table(header, lines)


def _by_state_and_service(entry: tuple[tuple[str, str, int], Measured]) -> tuple[int, int, int]:
    state, service, clients = entry[0]
    return STATES.index(state), [OURS, HEALTHCHAIN, FLASK].index(service), clients


def rows_of(results: Results) -> Iterator[Row]:
    """Every figure, ours with the goals of the service's specification."""
    on = device()
    for (state, service, clients), one in sorted(results.items(), key=_by_state_and_service):
        name = f"{state} order-sign, {service}, {_clients(clients)}"
        peer = results.get((state, HEALTHCHAIN, clients)) if service == OURS else None
        for percent in PERCENTS:
            value, theirs = one.ms(percent), peer.ms(percent) if peer else None
            goal, met = _latency_goal(state, service, clients, percent, value)
            yield Row(f"{name}, {_percent(percent)}", value, "ms", theirs, ratio(value, theirs), goal, met, on)
        value, theirs = one.per_second, peer.per_second if peer else None
        held = ratio(value, theirs)
        goal, met = (
            ("at least 3x HealthChain", at_least(3, held)) if (state, service) == (WARM, OURS) else ("", None)
        )
        yield Row(f"{name}, requests", value, "1/s", theirs, held, goal, met, on)
        for verdict in (Verdict.PARTIAL, Verdict.FAILED):
            yield Row(f"{name}, {verdict.value}", one.counts[verdict], "answers", device=on)
    if not any(service == HEALTHCHAIN for _, service, _ in results):
        yield Row(f"{HEALTHCHAIN} could not be installed here", None, "1/s", device=on)


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def _percent(percent: int) -> str:
    return "max" if percent == 100 else f"p{percent}"


def _latency_goal(
    state: str, service: str, clients: int, percent: int, value: float | None
) -> tuple[str, bool | None]:
    if (state, service, clients, percent) == (WARM, OURS, 8, 99):
        return "below 100 ms", at_most(100, value)
    if (state, service, percent) == (AHEAD, OURS, 95):
        return "below 500 ms", at_most(500, value)
    if state in (AHEAD, COLD, HANGS) and percent == 100:
        return f"never above {LATEST_MS} ms", at_most(LATEST_MS, value)
    return "", None


if __name__ == "__main__":
    main()
