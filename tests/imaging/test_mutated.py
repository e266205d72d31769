"""Damaged files: no crash, no hang, bounded memory. ``SIGHTLINE_MUTATED=10000`` for the whole measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from cds.settings import PACKAGE_ROOT

COUNT = int(os.environ.get("SIGHTLINE_MUTATED", "600"))


@pytest.mark.timeout(60 + COUNT // 5)
def test_damaged_files_are_films_or_refused() -> None:
    """In a process of its own: a decoder that crashes takes that one along, not this."""
    command = [sys.executable, "-m", "tests.imaging.mutate", str(COUNT)]
    done = subprocess.run(command, cwd=PACKAGE_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    outcome = json.loads(done.stdout)
    assert outcome["films"] > COUNT / 20, "too much damage to test the decoders"
    assert outcome["slowest_s"] < 10
    assert outcome["memory_mib"] < 1024
