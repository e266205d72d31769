"""The tables of conformance name for every demand the test that shows it met: each is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from cds.settings import PACKAGE_ROOT

DOCUMENTS = {name: (PACKAGE_ROOT / "docs" / name).read_text() for name in ("cds-hooks.md", "smart-launch.md")}
NAMED = sorted({named for text in DOCUMENTS.values() for named in re.findall(r"`(tests/[\w./:]+)`", text)})


def functions(tree: ast.AST, inside: str) -> Iterator[str]:
    """``test_name`` and ``TestClass::test_name``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield inside + node.name
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{node.name}::")


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_is_named_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    there = set(functions(ast.parse((PACKAGE_ROOT / path).read_text()), ""))
    assert there
    assert not name or name in there


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_demand_has_a_test_or_a_reason(document: str) -> None:
    rows = [row for row in DOCUMENTS[document].splitlines() if row.startswith("| ") and " shown by " not in row]
    assert len(rows) > 40
    for row in rows:
        _, _, shown, _ = row.split("|")
        assert len(shown.split()) > 3 or "`tests/" in shown, row
