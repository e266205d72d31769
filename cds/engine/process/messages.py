"""What goes over the engine's Unix socket, which only our own user can open.

A new connection says first what it is, ``caller`` or a :class:`Core`. A caller sends a :class:`Call` and its
pickled arguments, and gets a pickled :class:`Reply`. The arguments are a message of their own, so that they pass
through the engine unread when a core is to do the work.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cds.errors import Away, SightlineError
from cds.logs import kind_and_place

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Core:
    """A process that does what is asked of it; ``pid``: where it gets stuck, it is ended by that."""

    pid: int


@dataclass(frozen=True, slots=True)
class Call:
    """``deadline_at`` is on the monotonic clock, which all processes of a machine share."""

    operation: str
    deadline_at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it, or why nothing did."""

    value: Any = None
    error: SightlineError | None = None

    def opened(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


def answered(operation: Callable[..., Any], arguments: bytes) -> bytes:
    """The pickled reply to a call; a defect of ours says only that there is one."""
    try:
        reply = Reply(operation(*pickle.loads(arguments)))  # noqa: S301 (from ourselves: see above)
    except SightlineError as failure:
        reply = Reply(error=failure)
    except Exception as defect:
        log.error("the engine failed: %s", kind_and_place(defect))
        reply = Reply(error=Away("the engine failed; this is a fault of ours and has been logged"))
    return pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)
