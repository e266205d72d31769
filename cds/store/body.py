"""How bodies go into their columns and come out: the one place that a column's encoding is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from cds.errors import RequestError

Body = Mapping[str, Any]

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def to_column(body: Body) -> Jsonb:
    """Raise :class:`RequestError` for what JSON or PostgreSQL cannot hold: lone surrogates, NUL characters."""
    try:
        text = orjson.dumps(body)
    except TypeError:
        raise RequestError("the content is not JSON in Unicode") from None
    if _NUL.search(text):
        raise RequestError("the content holds a NUL character")
    return Jsonb(body, dumps=lambda _: text)


def from_column(column: Any) -> dict[str, Any]:
    return dict(column)
