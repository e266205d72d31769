"""Bodies that come in chunks (RFC 9112 §7.1): what is not framed as it says has broken off.

gunicorn raises errors of its own there, which would be a fault of ours and in the log, with what the caller sent.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment


class _Body(io.RawIOBase):
    """``wsgi.input``, whose every error is an :class:`OSError`, as of a line that was cut."""

    def __init__(self, received: InputStream) -> None:
        self._received = received

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            read = self._received.read(len(buffer))
        except ParseException:
            raise OSError("the body is not framed as it says") from None
        buffer[: len(read)] = read
        return len(read)


def broken_off_where_misframed(application: WSGIApplication) -> WSGIApplication:
    """``application``, which meets nothing but an :class:`OSError` where a body cannot be read."""

    def called(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return application(environ | {"wsgi.input": _Body(environ["wsgi.input"])}, start_response)

    return called
