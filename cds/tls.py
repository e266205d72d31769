"""TLS to those we call: whom we trust, and who we are where they ask for a certificate of ours (mTLS)."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

import httpx

from cds.errors import ConfigurationError


@cache
def public() -> ssl.SSLContext:
    """Trusts the public authorities and shows no certificate; made once, since to read them all takes 15 ms."""
    return httpx.create_ssl_context()


def context(authority: Path | str | None, certificate: Path | str | None, named: str) -> ssl.SSLContext:
    """``authority``: a file of those to trust, or the public ones; ``certificate``: ours with its key, or none.

    Both are in PEM. Raises :class:`ConfigurationError`, by what they are ``named``.
    """
    try:
        made = ssl.create_default_context(cafile=authority) if authority else httpx.create_ssl_context()
        if certificate:
            # A key with a password would ask for it on the terminal, and the service would wait.
            made.load_cert_chain(certificate, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{named} cannot be used: {error}") from None
    return made
