"""``multipart/related`` (RFC 2387) as DICOMweb uses it: one part comes, some go."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from email.message import Message

from cds.errors import BadAnswer

MAX_HEADER_BYTES = 8 * 1024


def only_part(content_type: str, body: bytes, wanted: str) -> bytes:
    """The one part of ``body``, whose media type must be ``wanted``; also a body that is ``wanted`` itself.

    Raises :class:`BadAnswer` for another type, no part, more than one, or a part without an end.
    """
    media, parameters = _parsed(content_type)
    if media == wanted:
        return body
    boundary = parameters.get("boundary", "")
    if media != "multipart/related" or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise BadAnswer("the PACS's answer is not multipart/related")
    header, content = _split(body, b"--" + boundary.encode())
    if _parsed(_header(header, "content-type") or wanted)[0] != wanted:
        raise BadAnswer(f"the PACS's answer holds no {wanted}")
    return content


def joined(parts: Iterable[bytes], media: str) -> tuple[str, bytes]:
    """The Content-Type and the body of ``parts``, each of the type ``media``."""
    # So long that no part holds it by chance, and nobody can know it beforehand.
    boundary = secrets.token_hex(32)
    begin = f"--{boundary}\r\nContent-Type: {media}\r\n\r\n".encode()
    body = b"".join(begin + part + b"\r\n" for part in parts)
    return f'multipart/related; type="{media}"; boundary={boundary}', body + f"--{boundary}--\r\n".encode()


def _split(body: bytes, delimiter: bytes) -> tuple[bytes, bytes]:
    """Header and content of the part between the first delimiter and the next (RFC 2046 5.1.1)."""
    start = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if not body.startswith(delimiter, start):
        raise BadAnswer("the PACS's answer has no part")
    start = body.find(b"\r\n", start + len(delimiter)) + 2
    # A part without a header of its own begins with the empty line.
    blank = (
        start - 2 if body.startswith(b"\r\n", start) else body.find(b"\r\n\r\n", start, start + MAX_HEADER_BYTES)
    )
    # From the end, for pixels may be long; a second part would put another delimiter before.
    end = body.rfind(b"\r\n" + delimiter + b"--")
    if start < 2 or blank < 0 or end < blank + 4:
        raise BadAnswer("the PACS's answer is cut short")
    if body.find(b"\r\n" + delimiter, blank + 4) != end:
        raise BadAnswer("the PACS sent more than the instance that was asked for")
    return body[start:blank], body[blank + 4 : end]


def _header(block: bytes, name: str) -> str:
    for line in block.decode("latin-1").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def _parsed(content_type: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case, and its parameters but for those in the extended notation of RFC 2231."""
    message = Message()
    message["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    parameters = message.get_params() or []
    return message.get_content_type(), {
        key.lower(): value for key, value in parameters[1:] if isinstance(value, str)
    }
