"""A second network for when the first gives no answer."""

from __future__ import annotations

import logging

from cds.deadline import NEVER, Deadline
from cds.engine.network import Inputs, Logits, Network
from cds.errors import EngineError, ModelError

_log = logging.getLogger(__name__)


class FallBack:
    """``first``, or where it fails ``then``, which must be of the same bundle."""

    def __init__(self, first: Network, then: Network) -> None:
        self._first = first
        self._then = then

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        """``first`` has half of the time, so that there is some left for ``then``; raises what ``then`` raises."""
        try:
            return self._first(inputs, Deadline.after(1000 * deadline.remaining / 2))
        except (EngineError, ModelError) as failure:
            _log.warning("scored on this machine instead: %s", failure)
            return self._then(inputs, deadline)
