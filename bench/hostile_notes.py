"""Hostile notes: mutated PDFs, RTFs, HTMLs and XMLs, each read in the time and memory that a note may take.

    python -m bench.hostile_notes [--count 5000] [--seed 0] [--json FILE]

Each format has a process of its own, whose memory is limited: a document that needs more is counted as a crash, as
is any exception but NoteError. Times are of the CPU.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import click

from bench.mutations import FORMATS, mutants
from bench.report import Row, at_most, device, goals, percentile, write_json
from cds.errors import NoteError
from cds.notes.extraction import extract

SECONDS = 2.0
HANG_S = 30
"""Then a document is given up and counted as taking this long."""
MEMORY = 1024 * 1024 * 1024
"""Address space of a process that reads, its interpreter and libraries included (some 250 MB)."""
MEMORY_MB = 400
"""By how much reading may raise the process's memory."""


class Hang(BaseException):
    """The document was given up."""


def read_all(of: str, count: int, seed: int) -> dict[str, Any]:
    """What became of ``count`` mutants of a format, read in this process."""
    signal.signal(signal.SIGALRM, _give_up)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    at_first, seconds, outcomes, defects = _peak(), [], Counter[str](), []
    for number, content in enumerate(mutants(of, count, seed)):
        started = time.process_time()
        signal.alarm(HANG_S)
        try:
            extract(content, "")
            outcomes["read"] += 1
        except NoteError:
            outcomes["refused"] += 1
        except (Exception, Hang) as defect:
            outcomes["crash"] += 1
            place = traceback.extract_tb(defect.__traceback__)[-1]
            defects.append(f"{of} {number}: {type(defect).__name__} at {place.name}:{place.lineno}")
        signal.alarm(0)
        seconds.append(time.process_time() - started)
    return {
        **{"outcomes": outcomes, "defects": defects, "megabytes": _peak() - at_first},
        **{"p99": percentile(seconds, 99), "slowest": max(seconds), "which": seconds.index(max(seconds))},
    }


def _give_up(*_: object) -> None:
    raise Hang


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows_of(of: str, told: dict[str, Any], count: int) -> list[Row]:
    """The figures of one format."""
    name, on, outcomes = f"{count} mutated {of}", device(), told["outcomes"]
    crashes, slowest, memory = outcomes.get("crash", 0), told["slowest"], told["megabytes"]
    return [
        Row(f"{name}, crashes", crashes, "documents", goal="none", met=crashes == 0, device=on),
        Row(f"{name}, slowest", slowest, "s", goal="at most 2 s", met=at_most(SECONDS, slowest), device=on),
        Row(f"{name}, memory", memory, "MB", goal="at most 400 MB", met=at_most(MEMORY_MB, memory), device=on),
        Row(f"{name}, p99", told["p99"], "s", device=on),
        Row(f"{name}, read", outcomes.get("read", 0), "documents", device=on),
        Row(f"{name}, refused", outcomes.get("refused", 0), "documents", device=on),
    ]


@click.command(help=__doc__)
@click.option("--count", default=5000, show_default=True, help="Documents in all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--format", "of", type=click.Choice(FORMATS), hidden=True)
@click.option("--json", "file", type=click.Path(path_type=Path))
def main(count: int, seed: int, of: str | None, file: Path | None) -> None:
    if of:
        click.echo(json.dumps(read_all(of, count, seed)))
        return
    rows = []
    each = count // len(FORMATS)
    for one in FORMATS:
        command = [
            sys.executable,
            "-m",
            "bench.hostile_notes",
            f"--format={one}",
            f"--count={each}",
            f"--seed={seed}",
        ]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
        for defect in told["defects"][:20]:
            click.echo(defect, err=True)
        rows += rows_of(one, told, each)
    click.echo(goals(rows))
    if file:
        write_json(file, rows)


if __name__ == "__main__":
    main()
