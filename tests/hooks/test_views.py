"""CDS Hooks 2.0, "HTTP Status Codes", and RFC 9110: refusals that belong to no service."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hooks.conftest import PATH, Hooks


@pytest.mark.parametrize(("method", "path", "allowed"), [("PUT", PATH, "POST"), ("TRACE", "/cds-services", "GET")])
def test_a_wrong_method_is_told_the_right_ones(
    method: str, path: str, allowed: str, hooks: Callable[..., Hooks]
) -> None:
    """RFC 9110 §15.5.6: a 405 carries Allow."""
    answer = hooks().app.test_client().open(path, method=method)
    assert answer.status_code == 405
    assert allowed in answer.allow
    assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"
