"""Which tests one process takes together, and which go first, where several share the suite (pytest-xdist)."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HOSPITAL = "the hospital"
TOGETHER = {
    "tests/api/test_assess.py": HOSPITAL,
    "tests/attack/": "the service under attack",
    "tests/browser/": HOSPITAL,
    "tests/profiles/": "the validators",
    "tests/smart/test_errors.py": HOSPITAL,
    "tests/test_docs.py": HOSPITAL,
    "tests/whole/": HOSPITAL,
}
"""Files whose tests share a session's fixture that takes long to start: it is started once, in one process."""
ALONE = ("tests/whole/test_ct.py", "tests/whole/test_demo.py", "tests/whole/test_engine.py")
"""They start what they need themselves."""
FIRST = (
    HOSPITAL,
    "tests/faults/test_kill.py",
    "the service under attack",
    "tests/whole/test_demo.py",
    "tests/faults/test_kill_service.py",
    "tests/whole/test_engine.py",
)
"""What takes long, so that nobody is left waiting for it at the end."""


def unit(nodeid: str) -> str:
    """What is run together with this test: its file, as a rule."""
    file = nodeid.split("::", 1)[0]
    if file in ALONE:
        return file
    return next((unit for prefix, unit in TOGETHER.items() if file.startswith(prefix)), file)


class Scheduling(LoadScopeScheduling):
    """Unit by unit."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {unit: rank for rank, unit in enumerate(FIRST)}
    items.sort(key=lambda item: ranks.get(unit(item.nodeid), len(ranks)))
