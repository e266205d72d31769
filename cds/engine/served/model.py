"""A bundle's network as a server runs it: for requests of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits
from cds.engine.on_device import network_on
from cds.engine.served.tensors import check, inputs_of


class ServedModel:
    """One version, in memory. Raises :class:`~cds.errors.ModelError` where it does not load."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        self._tensors = inputs_of(bundle)
        self._network = network_on(bundle, device)

    def check(self, inputs: Inputs) -> None:
        """Raise :class:`~cds.errors.RequestError` for what the network does not read."""
        check(inputs, self._tensors)

    def infer(self, inputs: Inputs) -> Logits:
        """Of inputs that :meth:`check` let pass."""
        return self._network(inputs)

    def infer_all(self, requests: Sequence[Inputs]) -> list[Logits]:
        """The same for several requests at once: those of like shape go through the network together."""
        answers: dict[int, Logits] = {}
        by_shape: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for place, inputs in enumerate(requests):
            by_shape.setdefault(tuple(inputs[name].shape[1:] for name in sorted(inputs)), []).append(place)
        for places in by_shape.values():
            alike = [requests[place] for place in places]
            logits = self.infer({name: np.concatenate([each[name] for each in alike]) for name in alike[0]})
            ends = np.cumsum([len(next(iter(each.values()))) for each in alike])[:-1]
            answers |= dict(zip(places, np.split(logits, ends), strict=True))
        return [answers[place] for place in range(len(requests))]
