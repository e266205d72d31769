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
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from cds.errors import ConfigurationError, SightlineError
from cds.processes import die_with_parent

Role = Callable[[], None]

TOO_SOON_S = 1.0
"""A process that ends so soon after its start waits as long for the next: no loop may eat a core."""
REFUSED = 2
"""The exit code of a role that raised one of our own errors, as of every command."""
NICER = 15
"""Whoever answers comes first: an answer without a score is better than none."""

log = logging.getLogger(__name__)


def supervise(roles: Mapping[str, Role], passing: Iterable[BaseProcess] = ()) -> None:
    """Run each role in a process of its own until we are interrupted; ``passing``: children that may end.

    Raises :class:`ConfigurationError` where a role cannot be: to try again would change nothing.
    """
    gc.collect()
    # A collection would touch, and so copy, every page that the processes share.
    gc.freeze()
    running: dict[str, tuple[BaseProcess, float]] = {}
    passing = list(passing)
    try:
        while True:
            for name, role in roles.items():
                if name not in running:
                    running[name] = _forked(name, role), time.monotonic()
            wait([process.sentinel for process in (*passing, *(process for process, _ in running.values()))])
            # To ask a process that has ended for its exit code is to bury it.
            passing = [process for process in passing if process.exitcode is None]
            _bury(running)
    finally:
        for process, _ in running.values():
            process.terminate()


def _bury(running: dict[str, tuple[BaseProcess, float]]) -> None:
    for name, (process, since) in list(running.items()):
        if process.exitcode == REFUSED:
            raise ConfigurationError(f"the engine cannot run its {name} here; its log says why")
        if process.exitcode is not None:
            log.error("the engine's %s ended (%s); it starts anew", name, process.exitcode)
            del running[name]
            if time.monotonic() - since < TOO_SOON_S:
                time.sleep(TOO_SOON_S)


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
        sys.exit(REFUSED)
