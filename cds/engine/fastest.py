"""How a network runs fastest on this machine, found by trying, among the ways that give the same scores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits, Network

TRIES = 5
PARITY = 0.01
"""Probabilities may differ so much between one way of computing and another."""
Probabilities = Callable[[Logits], NDArray[np.float64]]
"""What a network's logits mean."""
Clock = Callable[[], float]
"""Seconds: on a CPU of this process alone, for others may compute; what a GPU takes is told by all that pass."""

log = logging.getLogger(__name__)


def fastest(
    ways: Mapping[str, Network], examples: Sequence[Inputs], probabilities: Probabilities, clock: Clock
) -> tuple[str, Network]:
    """The name and network of the fastest of ``ways``; the first is the one whose scores the others must have."""
    (first, chosen), *others = ways.items()
    alike = {first: chosen}
    for name, network in others:
        if (off := _apart(chosen, network, examples, probabilities)) <= PARITY:
            alike[name] = network
        else:
            log.warning("%s is not used: its probabilities are off by up to %.3f", name, off)
    took = _seconds(alike, examples[0], clock)
    name = min(alike, key=took.__getitem__)
    return name, ways[name]


def plain(logits: Logits) -> NDArray[np.float64]:
    """Those of a network of no bundle."""
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def calibrated(bundle: Bundle) -> Probabilities:
    """Those that the service says."""
    return lambda logits: np.array([[*bundle.score(row).probabilities.values()] for row in logits.tolist()])


def _seconds(ways: Mapping[str, Network], example: Inputs, clock: Clock) -> dict[str, float]:
    """The shortest of some runs of each, in turns: a moment in which others have the machine is nobody's alone."""
    rounds = [{name: _once(network, example, clock) for name, network in ways.items()} for _ in range(TRIES)]
    return {name: min(took[name] for took in rounds) for name in ways}


def _once(network: Network, example: Inputs, clock: Clock) -> float:
    started = clock()
    network(example)
    return clock() - started


def _apart(one: Network, other: Network, examples: Sequence[Inputs], probabilities: Probabilities) -> float:
    """The largest difference of a probability; no number where a logit is none, or has no end."""
    pairs = [(_finite(one(example)), _finite(other(example))) for example in examples]
    return float(np.max([np.abs(probabilities(a) - probabilities(b)).max() for a, b in pairs]))


def _finite(logits: Logits) -> Logits:
    return np.where(np.isfinite(logits), logits, np.float32(np.nan))
