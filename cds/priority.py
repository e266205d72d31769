"""Letting others come first, where a machine's cores are short."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_OF_THE_SESSION = Path("/proc/self/autogroup")
_AGAIN_S = 0.15
"""All users of a machine together, but root, may say it ten times a second."""


def give_way(nicer: int) -> None:
    """Be so much nicer than before (1 to 19), and the session too, where this process leads one.

    Linux may share the cores among sessions first (sched(7), "The autogroup feature"): how nice a process is then
    counts within its session alone. Elsewhere there is nothing to say of a session.
    """
    os.nice(nicer)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _say_of_the_session(nicer)


def give_way_alone(nicer: int, session: int) -> None:
    """Be so much nicer, in a session of one's own that is as nice as ``session`` says.

    Where Linux shares the cores among sessions only ``session`` counts, elsewhere (without autogroups, or in a
    container) only ``nicer``. For a process that leads no group yet, such as a forked one.
    """
    os.setsid()
    os.nice(nicer)
    with suppress(OSError):
        _say_of_the_session(session)


def _say_of_the_session(nice: int) -> None:
    try:
        _OF_THE_SESSION.write_text(str(nice))
    except BlockingIOError:
        time.sleep(_AGAIN_S)
        _OF_THE_SESSION.write_text(str(nice))
