"""Every route, command and make target is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from cds.cli import main
from cds.settings import PACKAGE_ROOT
from tests.hospital import Hospital

OPERATIONS = (PACKAGE_ROOT / "docs" / "operations.md").read_text()
README = (PACKAGE_ROOT / "README.md").read_text()


def commands(group: click.Group, prefix: str = "cds") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


@pytest.mark.parametrize("command", list(commands(main)))
def test_every_command(command: str) -> None:
    assert f"`{command}" in OPERATIONS


def test_every_route(hospital: Hospital) -> None:
    documented = set(re.findall(r"`(?:GET|POST) ([^`?]+)`", OPERATIONS))
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.replace("<service_id>", "imaging-prescreen"))
        for rule in hospital.app.url_map.iter_rules()
        if "<path:" not in rule.rule
    }
    assert routes == documented


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/architecture.md",
        "docs/ehr-setup.md",
        "docs/fhir.md",
        "docs/operations.md",
        "docs/remote-engine.md",
        "docs/security.md",
        "docs/smart-launch.md",
    ],
)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text = (PACKAGE_ROOT / document).read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`((?:cds|deploy|docs|models|tests)/[\w./-]+)`", text)
    base = (PACKAGE_ROOT / document).parent
    missing = [path for path in linked if not (base / path).exists()]
    missing += [path for path in named if not (PACKAGE_ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_of_the_readme(target: str) -> None:
    assert f"make {target}" in README
    assert f"\n{target}:" in (PACKAGE_ROOT / "Makefile").read_text()
