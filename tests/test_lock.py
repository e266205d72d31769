"""``pip install --no-deps -r requirements.lock`` leaves nothing out, on any Python that we support."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cds.settings import PACKAGE_ROOT


def lines_of(lock: str) -> list[Requirement]:
    return [Requirement(line) for line in (PACKAGE_ROOT / lock).read_text().splitlines() if line.strip()]


LOCKED = lines_of("requirements.lock")
LOCKS = {"requirements.lock": LOCKED, "requirements-dev.lock": [*LOCKED, *lines_of("requirements-dev.lock")]}
"""Each with what is installed before it."""
PROJECT = tomllib.loads((PACKAGE_ROOT / "pyproject.toml").read_text())["project"]


def wanted_by(name: str, python: str) -> list[str]:
    """What the installed package asks for on that Python, extras left out."""
    environment = {**default_environment(), "extra": ""}
    environment |= {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    try:
        requirements = [Requirement(line) for line in distribution(name).requires or ()]
    except PackageNotFoundError:
        return []
    return [r.name for r in requirements if r.marker is None or r.marker.evaluate(environment)]


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", ["3.11.2", "3.11.9", "3.12.5", "3.13.1"])
def test_everything_that_a_package_asks_for_is_locked(python: str, lock: str) -> None:
    names = {canonicalize_name(locked.name) for locked in LOCKS[lock]}
    missing = {
        f"{locked.name} asks for {name}"
        for locked in LOCKS[lock]
        for name in wanted_by(locked.name, python)
        if canonicalize_name(name) not in names
    }
    assert missing == set()


def test_everything_that_we_ask_for_is_locked_at_a_version_that_we_allow() -> None:
    versions = {canonicalize_name(locked.name): str(locked.specifier).removeprefix("==") for locked in LOCKED}
    for line in PROJECT["dependencies"]:
        asked = Requirement(line)
        assert asked.specifier.contains(versions[canonicalize_name(asked.name)]), line


def test_every_line_pins_one_version() -> None:
    every = LOCKS["requirements-dev.lock"]
    assert [str(locked) for locked in every if not str(locked.specifier).startswith("==")] == []
