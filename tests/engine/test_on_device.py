"""On a GPU a network is asked in few shapes and in fewer bits, and nobody can tell from the scores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from cds.deadline import NEVER, Deadline
from cds.engine.bundles import Bundle
from cds.engine.examples import examples_for
from cds.engine.fastest import PARITY, calibrated, plain
from cds.engine.filled import Filled, row_counts, shapes, token_counts
from cds.engine.network import MASK, Inputs, Logits, TorchNetwork
from cds.engine.networks import network_of
from cds.engine.on_device import Narrow, fastest_on_gpu, network_on
from tests.hospital import MODELS

CPU = torch.device("cpu")
IMAGE, NOTE = (Bundle.load(MODELS / name) for name in ("chest-radiograph", "clinical-note"))
COUNTS, LENGTHS = row_counts(16), token_counts(96)

with_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


class Seen:
    """A network, and the shapes in which it was asked."""

    def __init__(self, bundle: Bundle) -> None:
        self.network = TorchNetwork(network_of(bundle), CPU)
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        self.shapes.append(next(iter(inputs.values())).shape)
        return self.network(inputs)


def probabilities(logits: Logits) -> Logits:
    return np.asarray(1 / (1 + np.exp(-logits)))


@pytest.mark.parametrize(("most", "counts"), [(1, (1,)), (16, (1, 2, 4, 8, 16)), (20, (1, 2, 4, 8, 16, 20))])
def test_no_more_than_half_is_filling(most: int, counts: tuple[int, ...]) -> None:
    assert row_counts(most) == counts


@pytest.mark.parametrize(("most", "lengths"), [(0, ()), (96, (32, 64, 96)), (100, (32, 64, 96, 100))])
def test_no_row_is_filled_beyond_what_the_network_reads(most: int, lengths: tuple[int, ...]) -> None:
    assert token_counts(most) == lengths


@pytest.mark.parametrize("bundle", [IMAGE, NOTE], ids=["image", "note"])
def test_filling_changes_no_score(bundle: Bundle) -> None:
    for example in examples_for(bundle):
        three = {name: np.repeat(values[:1], 3, axis=0) for name, values in example.items()}
        seen = Seen(bundle)
        filled = Filled(seen, COUNTS, LENGTHS)(three)
        np.testing.assert_allclose(filled, seen.network(three), atol=1e-3)
        count, *shape = seen.shapes[0]
        assert count == 4
        assert MASK not in example or shape[0] in LENGTHS


def test_what_is_larger_than_all_shapes_is_left_as_it_is() -> None:
    seen = Seen(NOTE)
    Filled(seen, (1, 2), (8,))({name: np.ones((3, 9), np.int64) for name in examples_for(NOTE)[0]})
    assert seen.shapes == [(3, 9)]


def test_every_shape_that_is_asked_in_is_prepared_the_largest_first() -> None:
    prepared = [next(iter(one.values())).shape for one in shapes(examples_for(NOTE)[0], (1, 2), (32, 64))]
    assert prepared == [(2, 64), (2, 32), (1, 64), (1, 32)]
    assert [one["pixel_values"].shape for one in shapes(examples_for(IMAGE)[0], (1, 2), ())] == [
        (2, 1, 224, 224),
        (1, 1, 224, 224),
    ]


@pytest.mark.parametrize("bundle", [IMAGE, NOTE], ids=["image", "note"])
def test_what_is_narrowed_reads_and_answers_in_32_bits_and_leaves_the_network_as_it_was(bundle: Bundle) -> None:
    module, example = network_of(bundle), examples_for(bundle)[0]
    narrow = TorchNetwork(Narrow(module, torch.bfloat16), CPU)(example)
    assert narrow.dtype == np.float32
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    assert not np.array_equal(narrow, TorchNetwork(module, CPU)(example))


def test_on_a_cpu_a_network_is_run_as_it_comes() -> None:
    example = examples_for(NOTE)[0]
    assert np.array_equal(network_on(NOTE, "cpu")(example), TorchNetwork(network_of(NOTE), CPU)(example))


def test_what_cannot_be_recorded_is_run_as_it_comes() -> None:
    """Without a GPU nothing can be recorded, and that breaks nothing."""
    if torch.cuda.is_available():
        pytest.skip("here it can")
    name, network = fastest_on_gpu(network_of(IMAGE), examples_for(IMAGE), calibrated(IMAGE), CPU, 0)
    assert name == "float32, as it comes"
    assert network(examples_for(IMAGE)[0]).shape == (1, len(IMAGE.findings))


@with_gpu
@pytest.mark.parametrize("bundle", [IMAGE, NOTE], ids=["image", "note"])
def test_a_gpu_scores_as_a_cpu_does(bundle: Bundle) -> None:
    there, here = network_on(bundle, "cuda"), network_on(bundle, "cpu")
    for example in examples_for(bundle):
        for count in (1, 3, 16):
            some = {name: np.resize(values, (count, *values.shape[1:])) for name, values in example.items()}
            np.testing.assert_allclose(probabilities(there(some)), probabilities(here(some)), atol=PARITY)


@with_gpu
def test_what_was_recorded_answers_each_time_anew() -> None:
    from cds.engine.recorded import RecordedNetwork

    module, device = network_of(IMAGE), torch.device("cuda")
    examples = examples_for(IMAGE)
    network = RecordedNetwork(module.to(device), device, examples[:1])
    plain = TorchNetwork(module, device)
    answers = [network(example) for example in examples]
    for answer, example in zip(answers, examples, strict=True):
        np.testing.assert_allclose(answer, plain(example), atol=1e-2)


@with_gpu
def test_networks_may_be_recorded_while_others_score() -> None:
    from cds.engine.recorded import RecordedNetwork

    device, example = torch.device("cuda"), examples_for(IMAGE)[0]
    scoring = TorchNetwork(network_of(IMAGE), device)
    modules = [network_of(IMAGE).to(device) for _ in range(2)]
    with ThreadPoolExecutor(3) as threads:
        recorded = [threads.submit(RecordedNetwork, module, device, [example]) for module in modules]
        expected = scoring(example)
        while not all(one.done() for one in recorded):
            np.testing.assert_allclose(scoring(example), expected, atol=1e-3)
    for one in recorded:
        np.testing.assert_allclose(one.result()(example), expected, atol=1e-2)


@with_gpu
def test_a_network_that_looks_at_its_results_is_run_as_it_comes() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network_of(IMAGE)

        def forward(self, pixel_values: torch.Tensor) -> object:
            answer = self.network(pixel_values=pixel_values)
            assert float(answer.logits.sum()) < np.inf
            return answer

    name, _ = fastest_on_gpu(Looks(), examples_for(IMAGE), plain, torch.device("cuda"), 0)
    assert name == "float32, as it comes"
