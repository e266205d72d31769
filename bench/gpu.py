"""``python -m bench.gpu``: networks on a GPU, and a whole prescreen beside it.

What is measured
    *Networks*: BERT-base with 128 and 384 tokens and DenseNet-121 at 224 x 224, of random weights, for they do not
    change the speed; and the image network that ships. Each as the engine runs it (:mod:`cds.engine.on_device`),
    from numbers in this machine's memory to logits there, the ways to the device and back included. One row at a
    time for the latency, 256 at a time for the rate.
    *Prescreen*: 50 a second, evenly: a film's bytes and a note that nobody has read to fused probabilities, by the
    engine process. Counted from when it was due.

The limits, in the same run
    The device's own product of two matrices of 8,192 x 8,192 in bfloat16, and its copy of a gibibyte. A network's
    share of the first is by the operations that its layers take, of the second by what each of them reads and
    writes, in 16 bits. The higher one is what holds it.

Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForSequenceClassification

from bench.engine import open_loop, say, unheard
from bench.hospital import hospital
from bench.report import Row, at_least, at_most, goals, percentile, ratio, write_json
from cds.deadline import Deadline
from cds.ehr.documents import Document
from cds.engine.active import in_use
from cds.engine.architectures.densenet import DenseNet121Config, DenseNet121ForImageClassification
from cds.engine.examples import examples_for
from cds.engine.fastest import plain
from cds.engine.filled import MOST_ROWS
from cds.engine.network import MASK, Inputs, Network
from cds.engine.networks import network_of
from cds.engine.on_device import fastest_on_gpu
from cds.engine.process.client import EngineProcess
from cds.fusion.late import LateFusion
from cds.inference.engine import Engine, Models
from cds.inference.socket import socket_of
from cds.notes.deidentification.known import KnownIdentifiers
from cds.settings import Settings

SIDE = 8192
GIBIBYTE = 1 << 30
OF_CEILING, IMAGES = 0.55, 10_000
PRESCREENS, PRESCREEN_MS = 50, 60
"""So many a second, nearly all of them within so many milliseconds."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A network and one row of what it reads."""

    name: str
    module: nn.Module
    row: Inputs
    of_ceiling: float | None = None
    """The share of the device's matrix product that is the goal."""
    per_second: float | None = None
    """The rate that is the goal."""

    @property
    def tokens(self) -> int:
        return int(self.row[MASK].shape[1]) if MASK in self.row else 0


@dataclass(frozen=True, slots=True)
class Work:
    """What one row takes."""

    operations: float
    bytes: float
    """Read and written by the layers, each by itself, in 16 bits."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the device can do in a second at most."""

    operations: float
    bytes: float


def main() -> None:
    """Exit code 0 whether or not the goals are met: the table says so; 1 where there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description="Networks on a GPU.")
    parser.add_argument("--quick", action="store_true", help="shorter, and less exact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("nothing is measured: there is no CUDA device here")
    device, seconds = torch.device("cuda"), 1.0 if arguments.quick else 5.0
    ceiling = ceiling_of(device, seconds)
    rows = [row for shape in networks() for row in measured(shape, device, ceiling, seconds)]
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as home:
        rows.append(prescreens(Path(home), 4 * seconds))
    rows = [replace(row, device=torch.cuda.get_device_name(device)) for row in rows]
    print(*(f"{row.name}: {row.value:.4g} {row.unit}" for row in rows), goals(rows), rows[0].device, sep="\n")
    if arguments.json:
        write_json(arguments.json, rows)


def networks() -> Iterator[Shape]:
    for tokens in (128, 384):
        bert = BertForSequenceClassification(BertConfig(num_labels=14)).eval()
        words = {name: np.ones((1, tokens), np.int64) for name in ("input_ids", MASK, "token_type_ids")}
        yield Shape(f"BERT-base, {tokens} tokens", bert, words, of_ceiling=OF_CEILING)
    dense = DenseNet121ForImageClassification(DenseNet121Config(num_labels=14)).eval()
    film = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    yield Shape("DenseNet-121", dense, {"pixel_values": film}, per_second=IMAGES)
    image = in_use(Settings(), "image")
    yield Shape(image.version.name, network_of(image), examples_for(image)[0])


def measured(shape: Shape, device: torch.device, ceiling: Ceiling, seconds: float) -> Iterator[Row]:
    say(shape.name)
    work = work_of(shape.module, shape.row)
    way, network = fastest_on_gpu(shape.module, [shape.row], plain, device, shape.tokens)
    name = f"{shape.name} ({way})"
    yield Row(f"{name}: alone, p95", percentile(times(network, shape.row, seconds), 95), "ms")
    many = {of: np.repeat(values, MOST_ROWS, axis=0) for of, values in shape.row.items()}
    rate = MOST_ROWS / float(np.median(times(network, many, seconds))) * 1000
    share = work.operations * rate / ceiling.operations
    yield Row(
        f"{name}: {MOST_ROWS} at a time",
        rate,
        "1/s",
        goal=f"at least {shape.per_second}" if shape.per_second else "",
        met=at_least(shape.per_second, rate) if shape.per_second else None,
    )
    yield Row(
        f"{name}: share of the matrix product",
        share,
        "",
        peer=ceiling.operations / work.operations,
        ratio=ratio(rate, ceiling.operations / work.operations),
        goal=f"at least {shape.of_ceiling}" if shape.of_ceiling else "",
        met=at_least(shape.of_ceiling, share) if shape.of_ceiling else None,
    )
    yield Row(f"{name}: share of the copy", work.bytes * rate / ceiling.bytes, "")


def times(network: Network, inputs: Inputs, seconds: float) -> list[float]:
    """Milliseconds of each call, for so long; at least one."""
    network(inputs)
    took: list[float] = []
    until = time.perf_counter() + seconds
    while not took or time.perf_counter() < until:
        at = time.perf_counter()
        network(inputs)
        took.append((time.perf_counter() - at) * 1000)
    return took


def work_of(module: nn.Module, row: Inputs) -> Work:
    """Of the network as it stands in this machine's memory."""
    passed: list[int] = []

    def count(_: nn.Module, inputs: Any, output: Any) -> None:
        passed.extend(of.numel() for of in (*inputs, output) if isinstance(of, Tensor))

    leaves = [each for each in module.modules() if not list(each.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(**{name: torch.from_numpy(values) for name, values in row.items()})
    for hook in hooks:
        hook.remove()
    return Work(float(counter.get_total_flops()), 2.0 * sum(passed))


def ceiling_of(device: torch.device, seconds: float) -> Ceiling:
    one, other = (torch.randn(SIDE, SIDE, device=device, dtype=torch.bfloat16) for _ in range(2))
    there, back = (torch.empty(GIBIBYTE, device=device, dtype=torch.uint8) for _ in range(2))
    return Ceiling(
        operations=2 * SIDE**3 / shortest(lambda: one @ other, seconds),
        bytes=2 * GIBIBYTE / shortest(lambda: there.copy_(back), seconds),
    )


def shortest(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the shortest run on the GPU, of those that there is time for."""
    took: list[float] = []
    until = time.perf_counter() + seconds
    while not took or time.perf_counter() < until:
        torch.cuda.synchronize()
        at = time.perf_counter()
        run()
        torch.cuda.synchronize()
        took.append(time.perf_counter() - at)
    return min(took)


def prescreens(home: Path, seconds: float) -> Row:
    """The p95 of whole prescreens by an engine of its own; what was refused counts as too late."""
    with hospital(home) as everyone:
        models = Models.in_use(everyone.settings)
        engine = Engine(models, EngineProcess(socket_of(everyone.settings), models.digests))
        fusion = LateFusion.from_bundle(in_use(everyone.settings, "fusion"))
        films = [film for patient in everyone.patients for film in patient.instances]
        turns = iter(range(10**9))

        def prescreen(by: Deadline) -> None:
            film = engine.read_film(films[next(turns) % len(films)], by)
            image = engine.score_film(film, by)
            note = Document("", "", None, "text/plain", unheard().encode())
            read = engine.read_notes([note], KnownIdentifiers(subject="x"), by)
            fusion.fuse(image, engine.score_notes(read, by), film.quality)

        load = open_loop(prescreen, PRESCREENS, seconds)
    p95 = percentile([*load.answered, *(float("inf") for _ in load.refused)], 95)
    return Row(
        f"prescreen, {PRESCREENS} a second: p95",
        p95,
        "ms",
        goal=f"below {PRESCREEN_MS} ms",
        met=at_most(PRESCREEN_MS, p95),
    )


if __name__ == "__main__":
    main()
