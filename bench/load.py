"""The load generator: so many clients, each on a connection of its own that stays open, each awaiting its answer.

A closed loop: a client sends its next request when the last one is answered, so a slow service is asked less
often. Waiting in a queue before the service is part of what is measured. Clients are threads of one Python
process; what they cost a request is the same for every service that is asked.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from bench.report import percentile

ANSWER_S = 10.0
"""What takes longer than this has failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A POST, ready to be sent: nothing is signed or encoded while the clock runs."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    """0 where none came."""
    headers: Mapping[str, str]
    body: bytes
    ms: float


class Verdict(Enum):
    """What an answer is worth."""

    WHOLE = "whole"
    PARTIAL = "partial"
    """What could be said in time."""
    FAILED = "failed"


@dataclass(slots=True)
class Measured:
    """What came of one run."""

    seconds: float
    """From the first request to the last answer."""
    answered: list[float] = field(default_factory=list)
    """Milliseconds of each answer, whole or partial; what failed is not timed."""
    counts: Counter[Verdict] = field(default_factory=Counter)

    def ms(self, percent: float) -> float | None:
        return percentile(self.answered, percent)

    @property
    def per_second(self) -> float | None:
        return len(self.answered) / self.seconds if self.answered else None


def run(
    base_url: str, requests: Iterable[Request], judge: Callable[[Answer], Verdict], *, clients: int, seconds: float
) -> Measured:
    """POST ``requests`` below ``base_url``, ``clients`` at a time, until there are none or the time is over.

    Answers are judged when the clock has stopped.
    """
    waiting, answers, start = _Shared(iter(requests)), list[Answer](), threading.Barrier(clients + 1)
    threads = [
        threading.Thread(target=_client, args=(base_url, waiting, answers.append, start, seconds), daemon=True)
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    start.wait(ANSWER_S)
    started = time.perf_counter()
    for thread in threads:
        thread.join(seconds + 2 * ANSWER_S)
    measured = Measured(time.perf_counter() - started)
    for answer in list(answers):
        verdict = judge(answer)
        measured.counts[verdict] += 1
        if verdict is not Verdict.FAILED:
            measured.answered.append(answer.ms)
    return measured


class _Shared:
    """An iterator for several threads; the end comes as None."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests = requests
        self._lock = threading.Lock()

    def next(self) -> Request | None:
        with self._lock:
            return next(self._requests, None)


def _client(
    base_url: str, waiting: _Shared, keep: Callable[[Answer], None], start: threading.Barrier, seconds: float
) -> None:
    base = urlsplit(base_url)
    connection = http.client.HTTPConnection(base.netloc, timeout=ANSWER_S)
    connection.connect()
    start.wait(ANSWER_S)
    due = time.perf_counter() + seconds
    while time.perf_counter() < due and (request := waiting.next()):
        keep(_answer(connection, base.path + request.path, request))
    connection.close()


def _answer(connection: http.client.HTTPConnection, path: str, request: Request) -> Answer:
    started = time.perf_counter()
    try:
        connection.request("POST", path, request.body, dict(request.headers))
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        # The next request opens a new connection.
        connection.close()
        return Answer(0, {}, b"", (time.perf_counter() - started) * 1000)
    return Answer(response.status, dict(response.headers), body, (time.perf_counter() - started) * 1000)
