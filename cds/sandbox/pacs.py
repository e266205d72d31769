"""Where sample images go: our own archive, or a real PACS in its place, by one interface."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from cds.errors import BadAnswer, ConfigurationError, Refused, Unreachable
from cds.sandbox.archive import DicomArchive


class Pacs(Protocol):
    """Something that keeps DICOM instances."""

    def store(self, instances: Iterable[bytes]) -> None:
        """Keep these DICOM Part 10 files, each of them or raise."""


class OwnPacs:
    """The sandbox's own archive."""

    def __init__(self, archive: DicomArchive) -> None:
        self._archive = archive

    def store(self, instances: Iterable[bytes]) -> None:
        """Raises :class:`cds.errors.ImagingError` for what is no DICOM file."""
        for data in instances:
            self._archive.store(data)


class StowPacs:
    """A PACS that takes instances by STOW-RS (PS3.18 10.5), such as Orthanc.

    A user name and password in ``url`` are sent as basic authentication (RFC 7617) and kept out of every message.
    """

    def __init__(self, url: str, *, timeout_s: float = 60.0, transport: httpx.BaseTransport | None = None) -> None:
        self.root, self._auth = _without_user(url)
        self._timeout_s = timeout_s
        self._transport = transport

    def store(self, instances: Iterable[bytes]) -> None:
        """One request each, so that none is too large.

        Raises :class:`Unreachable`, :class:`Refused`, or :class:`BadAnswer` where the PACS did not keep one.
        """
        with httpx.Client(
            auth=self._auth, timeout=self._timeout_s, transport=self._transport, trust_env=False
        ) as client:
            for data in instances:
                self._send(client, data)

    def _send(self, client: httpx.Client, data: bytes) -> None:
        boundary = secrets.token_hex(16)
        body = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + data
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        try:
            answer = client.post(
                f"{self.root}/studies", content=body + f"\r\n--{boundary}--\r\n".encode(), headers=headers
            )
        except httpx.HTTPError as error:
            raise Unreachable(
                f"the PACS at CDS_SANDBOX_PACS_URL did not answer ({type(error).__name__})"
            ) from None
        if answer.status_code in (401, 403):
            raise Refused("the PACS at CDS_SANDBOX_PACS_URL refused the credentials in the address")
        if answer.status_code != 200:
            raise BadAnswer(f"the PACS at CDS_SANDBOX_PACS_URL answered a store with {answer.status_code}")


def _without_user(url: str) -> tuple[str, httpx.BasicAuth | None]:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ConfigurationError("CDS_SANDBOX_PACS_URL is not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("CDS_SANDBOX_PACS_URL must be an http(s) address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    auth = httpx.BasicAuth(unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), "", "")), auth
