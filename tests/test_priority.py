"""Who computes what nobody waits for leaves the cores to others, in other sessions too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cds.engine.process import supervisor
from cds.inference import process
from cds.settings import PACKAGE_ROOT

AUTOGROUP = Path("/proc/self/autogroup")
TOLD = f"print(os.getpriority(os.PRIO_PROCESS, 0) - before, open({str(AUTOGROUP)!r}).read())"

with_autogroups = pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel knows no autogroups")


def after(call: str, *, leading: bool) -> tuple[int, str]:
    """How much nicer a new process is after ``call``, and how nice its session, which it may be ``leading``.

    The kernel says nothing of the machine's first session.
    """
    code = f"import os; from cds.priority import *; before = os.nice(0); {call}; {TOLD}"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE_ROOT,
        start_new_session=leading,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    nicer, _, session = told.strip().partition(" ")
    return int(nicer), session.rpartition(" ")[-1]


@with_autogroups
def test_who_leads_a_session_makes_it_as_nice_as_itself() -> None:
    assert after("give_way(3)", leading=True) == (3, "3")


@with_autogroups
def test_who_was_started_in_anothers_session_leaves_it_as_it_is() -> None:
    _, before = after("pass", leading=False)
    assert after("give_way(3)", leading=False) == (3, before)


@with_autogroups
def test_who_gives_way_alone_has_a_session_of_its_own() -> None:
    assert after("os.fork() and (os.wait(), os._exit(0)); give_way_alone(9, 4)", leading=True) == (9, "4")


def test_what_is_found_out_beside_the_work_comes_after_it_where_sessions_share_no_cores() -> None:
    assert process.NICER > supervisor.NICER
