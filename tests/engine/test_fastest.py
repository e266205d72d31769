"""Of several ways to run a network the fastest is taken, if it says the same."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cds.deadline import NEVER, Deadline
from cds.engine.active import in_use
from cds.engine.bundles import Calibration
from cds.engine.examples import examples_for
from cds.engine.fastest import Probabilities, calibrated, fastest, plain
from cds.engine.kept import What, kept_file, usable
from cds.engine.network import Inputs, Logits, Network, TorchNetwork
from cds.engine.networks import network_of
from cds.engine.on_device import Narrow
from cds.engine.onnx_export import exported
from cds.engine.onnx_runtime import OnnxRuntimeNetwork
from cds.engine.prepare import prepare
from cds.settings import Settings

CPU = torch.device("cpu")
EXAMPLES = [{"x": np.ones((1, 1), np.float32)}]


def way(logit: float, seconds: float = 0.0) -> Any:
    def network(inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        time.sleep(seconds)
        return np.full((1, 1), logit, np.float32)

    return network


def test_the_faster_one_is_taken() -> None:
    assert fastest({"slow": way(1.0, 0.02), "fast": way(1.0)}, EXAMPLES, plain, time.perf_counter)[0] == "fast"
    assert fastest({"fast": way(1.0), "slow": way(1.0, 0.02)}, EXAMPLES, plain, time.perf_counter)[0] == "fast"


def test_one_that_says_no_number_of_any_example_is_not() -> None:
    def overflows(inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        return np.where(inputs["x"] > 1, np.float32("nan"), np.float32(1))

    examples = [*EXAMPLES, {"x": np.full((1, 1), 2, np.float32)}]
    assert (
        fastest({"slow": way(1.0, 0.02), "overflows": overflows}, examples, plain, time.perf_counter)[0] == "slow"
    )


def test_one_that_says_something_else_is_not_however_fast_it_is() -> None:
    assert fastest({"slow": way(1.0, 0.02), "wrong": way(1.1)}, EXAMPLES, plain, time.perf_counter)[0] == "slow"
    assert fastest({"slow": way(1.0, 0.02), "near": way(1.01)}, EXAMPLES, plain, time.perf_counter)[0] == "near"


def test_nor_one_that_says_something_without_end() -> None:
    assert (
        fastest({"slow": way(20.0, 0.02), "endless": way(np.inf)}, EXAMPLES, plain, time.perf_counter)[0] == "slow"
    )


def test_the_time_of_others_does_not_count() -> None:
    """On a CPU: whoever sleeps leaves it to them."""
    ways = {"computes": computes, "waits": way(1.0, 0.02)}
    assert fastest(ways, EXAMPLES, plain, time.process_time)[0] == "waits"


def computes(inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
    return np.full((1, 1), float(sum(range(1_000_000)) > 0), np.float32)


def test_what_counts_is_what_is_said_of_a_finding() -> None:
    """A steep calibration makes much of a little."""
    bundle = in_use(Settings(), "image")
    steep = replace(bundle, calibration={key: Calibration(40.0, 0.0) for key in bundle.findings})
    none = np.zeros((1, len(bundle.findings)), np.float32)
    assert np.abs(calibrated(steep)(none + 0.01) - calibrated(steep)(none)).max() > 0.09
    assert np.abs(plain(none + 0.01) - plain(none)).max() < 0.01


def test_a_network_that_rounds_is_seen_to_be_off_as_it_is_off_on_films() -> None:
    bundle = in_use(Settings(), "image")
    module = network_of(bundle)
    ways = {
        "32 bits": TorchNetwork(module, CPU),
        "16 bits": TorchNetwork(Narrow(module, torch.bfloat16), CPU),
    }
    noise, *films = examples_for(bundle)
    assert _off(ways, films, calibrated(bundle)) > 2 * _off(ways, [noise], calibrated(bundle))


def _off(ways: Mapping[str, Network], examples: Sequence[Inputs], probabilities: Probabilities) -> float:
    one, other = ways.values()
    return max(float(np.abs(probabilities(one(x)) - probabilities(other(x))).max()) for x in examples)


@pytest.mark.parametrize("kind", ["image", "note"])
def test_the_models_that_ship_say_the_same_in_onnx(kind: str) -> None:
    bundle = in_use(Settings(), kind)  # type: ignore[arg-type]
    module, examples = network_of(bundle), examples_for(bundle)
    here, there = TorchNetwork(module, CPU), OnnxRuntimeNetwork(exported(module, examples[0]), 1)
    assert not module.training
    assert max(float(np.abs(here(example) - there(example)).max()) for example in examples) < 0.001


@pytest.mark.parametrize("what", ["logits", "saliency"])
def test_what_was_found_is_kept(tmp_path: Path, what: What) -> None:
    bundle = in_use(Settings(), "image")
    kept = kept_file(bundle, tmp_path, what)
    prepare(bundle, tmp_path, what)
    # Which of two is faster may differ from one moment to the next, while others compute.
    assert usable(kept) or what == "logits"
    first = kept.stat()
    prepare(bundle, tmp_path, what)
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    assert kept.stat().st_mtime_ns == first.st_mtime_ns
