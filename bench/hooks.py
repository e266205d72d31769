"""``python -m bench.hooks``: how long an order-sign takes, beside two services that do nothing for the same card.

What is measured
    Sightline as it is deployed: gunicorn with ``deploy/gunicorn.conf.py`` and default settings, embedded
    PostgreSQL and Valkey, the worker, the sandbox EHR and PACS. Every call has a JWT and a ``hookInstance`` of
    its own, and brings what the service asks to be prefetched. Every answer is looked at after the clock has
    stopped; one that is not 200, or whose cards are not what they must be, has failed and is not timed.

    *Warm* repeats the calls for the patients of whom there is something to say, in rotation. Their scores are
    known; all else is done each time: JWT and replay mark, the chart with a read of the EHR for what was not
    prefetched, the reading of what is recorded, the cards, the audit.

    *Cold* has the EHR tell of changed studies and notes in every call, so that nothing is known of them: each
    call fetches and decodes the film, fetches and de-identifies the notes, runs both models, and records a
    report, which the worker delivers meanwhile. An answer is whole where its ``Server-Timing`` shows that both
    models ran, and partial where the hook's budget was over before. No work-ahead hook was fired.

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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.hospital import Hospital, hospital
from bench.load import Answer, Measured, Request, Verdict, run
from bench.peers import FLASK, HEALTHCHAIN, Peer, flask_route, healthchain, installed
from bench.report import DASH, Row, at_least, at_most, device, figure, goals, ratio, table, write_json

OURS = "Sightline"
CLIENTS = (1, 8, 32)
SETTLE_S = 5
SETTLED_MS = 60

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: seconds for each number of clients, and the most calls that are signed for them."""

    warm_s: float
    cold_s: float
    warm_calls: int
    cold_calls: int


FULL = Plan(warm_s=8, cold_s=12, warm_calls=1200, cold_calls=200)
QUICK = Plan(warm_s=1, cold_s=2, warm_calls=200, cold_calls=40)


Results = dict[tuple[str, str, int], Measured]
"""By ``warm`` or ``cold``, service, and number of clients."""


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
    """Everything warm first: what a cold call writes is still being delivered after it."""
    bodies, card = _known(everyone)
    ours, peers = Peer(OURS, everyone.service_url), [flask_route(everyone, card)]
    if venv:
        peers.insert(0, healthchain(everyone, card, venv))
    results: Results = {}
    for clients in CLIENTS:
        calls = [everyone.call(body) for body in itertools.islice(itertools.cycle(bodies), plan.warm_calls)]
        results["warm", OURS, clients] = _measured(ours, calls, _one_card, clients, plan.warm_s)
        for peer in peers:
            again = itertools.cycle(calls)
            results["warm", peer.name, clients] = _measured(peer, again, _one_card, clients, plan.warm_s)
    for clients in CLIENTS:
        unseen = (everyone.unseen(body) for body in itertools.cycle(bodies))
        calls = [everyone.call(body) for body in itertools.islice(unseen, plan.cold_calls)]
        _settle(everyone, bodies[0])
        results["cold", OURS, clients] = _measured(ours, calls, _scored_anew, clients, plan.cold_s)
    return results


def _measured(
    service: Peer, calls: Iterable[Request], judge: Callable[[Answer], Verdict], clients: int, seconds: float
) -> Measured:
    print(f"{service.name}, clients: {clients}", file=sys.stderr, flush=True)
    return run(service.base_url, calls, judge, clients=clients, seconds=seconds)


def _known(everyone: Hospital) -> tuple[list[Json], Json]:
    """The calls for the patients with a film and notes and something to say of them, and one of the cards.

    Each is called twice: a first call, at which everything is made, may pass the hook's budget.
    """
    bodies, card = [], None
    for patient in everyone.patients:
        if patient.fault is None and patient.study_uid:
            body = everyone.order_signed(patient)
            given = [_once(everyone, body) for _ in range(2)][-1]
            if given and body["prefetch"]["documents"].get("entry"):
                bodies.append(body)
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
    """What hooks gave up on goes on behind them: wait until a warm call is as quick as it should be."""
    due = time.monotonic() + SETTLE_S
    while time.monotonic() < due:
        one = run(everyone.service_url, [everyone.call(body)], _one_card, clients=1, seconds=5)
        if one.answered and one.answered[0] < SETTLED_MS:
            break
        time.sleep(0.5)
    everyone.wait_until_delivered()


def _cards(answer: Answer) -> list[Json]:
    cards: list[Json] = orjson.loads(answer.body)["cards"] if answer.status == 200 else []
    return cards


def _one_card(answer: Answer) -> Verdict:
    return Verdict.WHOLE if len(_cards(answer)) == 1 else Verdict.FAILED


def _scored_anew(answer: Answer) -> Verdict:
    """Cold: both models ran for this answer. What was late is neither in the card nor among the steps."""
    if answer.status != 200:
        return Verdict.FAILED
    steps = answer.headers.get("Server-Timing", "")
    both = "score-image;" in steps and "score-notes;" in steps
    return _one_card(answer) if both else Verdict.PARTIAL


def figures(results: Results) -> str:
    """Everything that was measured."""
    lines = [
        [
            f"{state}, {service}",
            str(clients),
            *(figure(one.ms(percent)) for percent in (50, 95, 99)),
            figure(one.per_second),
            *(str(one.counts[verdict]) for verdict in Verdict),
        ]
        for (state, service, clients), one in sorted(results.items(), key=_by_state_and_service)
    ]
    if not any(service == HEALTHCHAIN for _, service, _ in results):
        lines.append([f"{HEALTHCHAIN} could not be installed here", *[DASH] * 8])
    header = ["order-sign", "clients", "p50 ms", "p95 ms", "p99 ms", "requests/s", "whole", "partial", "failed"]
    return table(header, lines)


def _by_state_and_service(entry: tuple[tuple[str, str, int], Measured]) -> tuple[int, int, int]:
    state, service, clients = entry[0]
    return ["warm", "cold"].index(state), [OURS, HEALTHCHAIN, FLASK].index(service), clients


def rows_of(results: Results) -> Iterator[Row]:
    """Every figure, ours with the goals of the service's specification."""
    on = device()
    for (state, service, clients), one in sorted(results.items(), key=_by_state_and_service):
        name = f"{state} order-sign, {service}, {_clients(clients)}"
        peer = results.get((state, HEALTHCHAIN, clients)) if service == OURS else None
        for percent in (50, 95, 99):
            value, theirs = one.ms(percent), peer.ms(percent) if peer else None
            goal, met = _latency_goal(state, service, clients, percent, value)
            yield Row(f"{name}, p{percent}", value, "ms", theirs, ratio(value, theirs), goal, met, on)
        value, theirs = one.per_second, peer.per_second if peer else None
        held = ratio(value, theirs)
        goal, met = (
            ("at least 3x HealthChain", at_least(3, held)) if (state, service) == ("warm", OURS) else ("", None)
        )
        yield Row(f"{name}, requests", value, "1/s", theirs, held, goal, met, on)
        for verdict in (Verdict.PARTIAL, Verdict.FAILED):
            yield Row(f"{name}, {verdict.value}", one.counts[verdict], "answers", device=on)
    if not any(service == HEALTHCHAIN for _, service, _ in results):
        yield Row(f"{HEALTHCHAIN} could not be installed here", None, "1/s", device=on)


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def _latency_goal(
    state: str, service: str, clients: int, percent: int, value: float | None
) -> tuple[str, bool | None]:
    if (state, service, clients, percent) == ("warm", OURS, 8, 99):
        return "below 100 ms", at_most(100, value)
    if (state, service, percent) == ("cold", OURS, 95):
        return "below 500 ms", at_most(500, value)
    return "", None


if __name__ == "__main__":
    main()
