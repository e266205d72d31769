"""Forks the engine's processes off one that has loaded everything, and forks anew whichever ends.

What was loaded is shared by all of them, and a restart takes no loading: the supervisor itself computes nothing,
opens nothing and has one thread, so that it may fork at any time.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import MappingProxyType

from cds.engine.process.pulse import Pulse, Watch
from cds.errors import ConfigurationError, ModelError, SightlineError
from cds.processes import die_with_parent

Role = Callable[[], None]

TOO_SOON_S = 1.0
"""A process that ends so soon after its start waits as long for the next: no loop may eat a core."""
REFUSED = 2
"""The exit code of a role that says what an operator must change first, as of every command."""
LOOK_S = 0.5
HANGS_S = 20.0
"""Longer than anything that gets on is kept from its beats, however busy its machine is."""
NONE: Mapping[str, Pulse] = MappingProxyType({})
NICER = 15
"""Whoever answers comes first: an answer without a score is better than none."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A role's process."""

    process: BaseProcess
    since: float
    watch: Watch | None


def supervise(
    roles: Mapping[str, Role],
    passing: Iterable[BaseProcess] = (),
    pulses: Mapping[str, Pulse] = NONE,
    hangs_s: float = HANGS_S,
) -> None:
    """Run each role in a process of its own until we are interrupted; ``passing``: children that may end.

    One of ``pulses`` that has not been felt for ``hangs_s``, once it was there, is of a process that hangs: it is
    killed. Raises :class:`ConfigurationError` where a role cannot be: to try again would change nothing.
    """
    gc.collect()
    # A collection would touch, and so copy, every page that the processes share.
    gc.freeze()
    running: dict[str, Running] = {}
    passing = list(passing)
    try:
        while True:
            for name, role in roles.items():
                if name not in running:
                    running[name] = _begun(name, role, pulses.get(name))
            sentinels = [process.sentinel for process in (*passing, *(one.process for one in running.values()))]
            wait(sentinels, LOOK_S if pulses else None)
            # To ask a process that has ended for its exit code is to bury it.
            passing = [process for process in passing if process.exitcode is None]
            _bury(running)
            _kill_what_hangs(running, hangs_s)
    finally:
        for one in running.values():
            one.process.terminate()


def _bury(running: dict[str, Running]) -> None:
    for name, one in list(running.items()):
        ended = one.process.exitcode
        if ended == REFUSED:
            raise ConfigurationError(f"the engine cannot run its {name} here; its log says why")
        if ended is not None:
            log.error("the engine's %s ended (%s); it starts anew", name, ended)
            del running[name]
            if time.monotonic() - one.since < TOO_SOON_S:
                time.sleep(TOO_SOON_S)


def _kill_what_hangs(running: Mapping[str, Running], hangs_s: float) -> None:
    for name, one in running.items():
        if one.watch and one.watch.silent_s() > hangs_s:
            log.error("no sign of life of the engine's %s; it is killed", name)
            one.process.kill()


def _begun(name: str, role: Role, pulse: Pulse | None) -> Running:
    if pulse:
        pulse.stop()
    return Running(_forked(name, role), time.monotonic(), Watch(pulse) if pulse else None)


def _forked(name: str, role: Role) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_run, args=(role,), name=name, daemon=True)
    process.start()
    return process


def _run(role: Role) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    os.nice(NICER)
    try:
        role()
    except SightlineError as failure:
        log.error("%s", failure)
        sys.exit(REFUSED if isinstance(failure, ModelError | ConfigurationError) else 1)
