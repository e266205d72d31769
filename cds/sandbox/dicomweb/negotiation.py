"""What a client accepts, and multipart/related messages both ways (PS3.18 8.7 "Media Types"; RFC 2387)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from flask import Response, request
from werkzeug.exceptions import NotAcceptable
from werkzeug.http import parse_options_header

from cds.errors import RequestError

DICOM, DICOM_JSON = "application/dicom", "application/dicom+json"

Part = tuple[str, bytes]
"""Content type and content."""


def accepted() -> Iterator[tuple[str, dict[str, str]]]:
    """The media types of ``Accept`` with their parameters, best first; ``*/*`` where there is none."""
    values = [value for value, _ in request.accept_mimetypes] or ["*/*"]
    for value in values:
        kind, options = parse_options_header(value)
        yield kind.lower(), options


def dicom_json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, content_type=DICOM_JSON)


def check_json_accepted() -> None:
    """406 for a client that takes no JSON."""
    if not any(kind in (DICOM_JSON, "application/json", "*/*", "application/*") for kind, _ in accepted()):
        raise NotAcceptable(f"only {DICOM_JSON} is served here")


def multipart(kind: str, parts: Iterable[Part]) -> Response:
    """A multipart/related response whose parts are sent as they are read."""
    boundary = secrets.token_hex(16)
    return Response(
        _composed(boundary, parts), content_type=f'multipart/related; type="{kind}"; boundary={boundary}'
    )


def _composed(boundary: str, parts: Iterable[Part]) -> Iterator[bytes]:
    for content_type, content in parts:
        yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def parts(body: bytes, boundary: str) -> list[Part]:
    """The parts of a multipart body; :class:`RequestError` where it is not whole."""
    if not boundary:
        raise RequestError("Content-Type names no boundary")
    delimiter = b"\r\n--" + boundary.encode()
    # The first delimiter may stand at the very start; what is before it, and after the last, is no part.
    _, *pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise RequestError("the multipart body does not end as its boundary says")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank:
        raise RequestError("a part of the multipart body has no headers")
    headers = [line.partition(b":") for line in head.split(b"\r\n")]
    kinds = [
        value.decode("latin-1").strip() for name, _, value in headers if name.strip().lower() == b"content-type"
    ]
    return (kinds[0] if kinds else "application/octet-stream"), content
