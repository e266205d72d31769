"""What large films took, a process gives back."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cds.settings import PACKAGE_ROOT

PASSES_FILMS_ON = """
from pathlib import Path
from cds.memory import give_back_now, give_back_what_is_large

def mebibytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

give_back_what_is_large(from_bytes=2**20)
before = mebibytes()
films, kept = [], []
for _ in range(100):
    films.append(b"x" * 2 * 2**20)
    kept.append(b"x" * 10_000)
held = mebibytes()
films.clear()
give_back_now()
print(held - before > 150, mebibytes() - before < 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process has is asked of Linux")
def test_large_films_leave_no_memory_behind_whatever_was_kept_between_them() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PASSES_FILMS_ON], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["True", "True"]
