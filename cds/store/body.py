"""How bodies go into their columns and come out: as JSON, sealed to their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from cds.errors import RequestError
from cds.store.database import Connection
from cds.store.sealing import Place

Body = Mapping[str, Any]

_NUL_ESCAPED = rb"\u0000"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*" + re.escape(_NUL_ESCAPED))


def to_column(connection: Connection, place: Place, body: object) -> bytes:
    """``body``: a JSON object as a mapping, or as a dataclass, whose fields are then its names.

    Raise :class:`RequestError` for what is not JSON in Unicode, or holds NUL characters, which nobody means.
    """
    try:
        text = orjson.dumps(body)
    except TypeError:
        raise RequestError("the content is not JSON in Unicode") from None
    # Nearly nothing holds one: to see that, a plain search is enough, and many times faster.
    if _NUL_ESCAPED in text and _NUL.search(text):
        raise RequestError("the content holds a NUL character")
    return connection.sealer.seal(place, text)


def from_column(connection: Connection, place: Place, column: bytes) -> dict[str, Any]:
    """Raise :class:`~cds.errors.IntegrityError` for what was not sealed there."""
    body: dict[str, Any] = orjson.loads(connection.sealer.open(place, column))
    return body
