"""A network that has learnt, made wider, so that it goes on from what it knew (Net2Net, Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from training.deid.network import Network

QUIETLY = 0.3
"""How large the weights of the new channels are beside what they would be in a new network."""


def widened(network: Network, hidden: int) -> Network:
    """As before but for the scale of its last norm: no old channel listens to a new one yet."""
    wider = Network(replace(network.shape, hidden=hidden))
    state = wider.state_dict()
    for name, old in network.state_dict().items():
        for new, part in zip(_parts(name, state[name]), _parts(name, old), strict=True):
            _put(part, new)
    wider.load_state_dict(state)
    return wider


def _parts(name: str, weight: Tensor) -> Iterator[Tensor]:
    """A gated convolution has its values in the first half of its rows and their gates in the second."""
    yield from weight.chunk(2) if ".mix." in name else (weight,)


def _put(old: Tensor, new: Tensor) -> None:
    new *= QUIETLY
    new[: len(old)] = 0
    new[tuple(slice(size) for size in old.shape)] = old
