"""CDS Hooks 2.0, "CORS": browsers of registered origins may call, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hooks.conftest import PATH, Hooks

Make = Callable[..., Hooks]
ORIGIN = "https://ehr.example"
ENDPOINTS = [("/cds-services", "GET"), (PATH, "POST"), (f"{PATH}/feedback", "POST")]


@pytest.mark.parametrize(("path", "method"), ENDPOINTS)
def test_preflight_on_every_endpoint(path: str, method: str, hooks: Make) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = hooks().app.test_client().options(path, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.vary


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", f"{ORIGIN}.evil.example", f"{ORIGIN}:8443", "http://ehr.example", "*"],
)
@pytest.mark.parametrize(("path", "method"), ENDPOINTS)
def test_an_origin_that_is_not_registered_gets_nothing(path: str, method: str, origin: str, hooks: Make) -> None:
    client = hooks().app.test_client()
    for answer in (
        client.options(path, headers={"Origin": origin}),
        client.open(path, headers={"Origin": origin}),
    ):
        assert not any(name.startswith("Access-Control-") for name, _ in answer.headers)
        assert "Origin" in answer.vary or answer.status_code == 405


@pytest.mark.parametrize("status", [200, 400, 401, 429])
def test_a_browser_may_read_the_answer_and_its_headers(status: int, hooks: Make) -> None:
    """Retry-After and Server-Timing are not among those that CORS lets through by itself."""
    ehr = hooks(rate_per_minute=1 if status == 429 else 6000)
    if status == 429:
        ehr.call()
    authorization = {"Authorization": "Bearer a.b.c"} if status == 401 else {}
    answer = ehr.call(body=b"{}" if status == 400 else None, Origin=ORIGIN, **authorization)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After, Server-Timing"
    assert "Access-Control-Allow-Credentials" not in answer.headers
