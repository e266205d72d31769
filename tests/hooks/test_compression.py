"""RFC 9110 §12.5.3: gzip where it is asked for and worth it."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import orjson
import pytest
from flask import Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from cds import compression
from cds.compression import LEAST_BYTES, compress
from tests.hooks.conftest import LONG_CARD, Hooks

Make = Callable[..., Hooks]


@pytest.mark.parametrize("asked", ["gzip", "deflate, gzip;q=0.5", "br;q=1.0, *;q=0.8", "identity;q=0.5, gzip"])
def test_an_answer_is_compressed_where_asked(asked: str, hooks: Make) -> None:
    answer = hooks().call(**{"Accept-Encoding": asked})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) == len(answer.data) < LEAST_BYTES
    assert orjson.loads(gzip.decompress(answer.data)) == {"cards": [LONG_CARD]}


@pytest.mark.parametrize(
    "asked", ["", "identity", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "identity, gzip;q=0.5"]
)
def test_an_answer_is_plain_where_not(asked: str, hooks: Make) -> None:
    answer = hooks().call(**{"Accept-Encoding": asked})
    assert "Content-Encoding" not in answer.headers
    assert answer.get_json() == {"cards": [LONG_CARD]}


@pytest.mark.parametrize("asked", ["gzip", "identity"])
def test_a_cache_is_told_that_answers_differ(asked: str, hooks: Make) -> None:
    """RFC 9110 §12.5.5: compressed or not, by encoding and by origin."""
    answer = hooks().call(**{"Accept-Encoding": asked, "Origin": "https://ehr.example"})
    assert set(answer.vary) == {"Origin", "Accept-Encoding"}
    assert answer.headers["Access-Control-Allow-Origin"] == "https://ehr.example"


def test_discovery_is_compressed(hooks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "LEAST_BYTES", 1)
    client = hooks().app.test_client()
    plain = client.get("/cds-services")
    answer = client.get("/cds-services", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == plain.data


@pytest.mark.parametrize(("size", "encoding"), [(LEAST_BYTES - 1, None), (LEAST_BYTES, "gzip")])
def test_what_is_small_stays_plain(size: int, encoding: str | None) -> None:
    response = Response(b" " * size, mimetype="application/json")
    compress(response, parse_accept_header("gzip", Accept))
    assert response.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in response.vary


def test_a_refusal_is_never_compressed(hooks: Make) -> None:
    answer = hooks().app.test_client().post("/cds-services/none", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 404
    assert "Content-Encoding" not in answer.headers
