"""The sandbox's own keys: one signs tokens, one signs as the CDS client. Made once, kept in its home.

Two keys, because the authorization server and the CDS client are two parties to whoever verifies them.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from joserfc.jwk import ECKey

from cds.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class SandboxKeys:
    """ES384 key pairs; each public half names its ``kid`` and ``alg``."""

    token: ECKey = field(repr=False)
    """Signs access tokens and id_tokens."""
    cds_client: ECKey = field(repr=False)
    """Signs the JWT with which the EHR calls CDS services."""

    @classmethod
    def load(cls, home: Path) -> Self:
        """The keys in ``home/keys.json``, made on first use; :class:`ConfigurationError` if unreadable."""
        path = home / "keys.json"
        if not path.exists():
            _write_new(path)
        try:
            held = json.loads(path.read_text())
            return cls(token=ECKey.import_key(held["token"]), cds_client=ECKey.import_key(held["cds_client"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"the sandbox's keys {path} cannot be read ({type(error).__name__})"
            ) from None


def public_jwks(key: ECKey) -> dict[str, Any]:
    """The JWK Set (RFC 7517) with which others verify what ``key`` signs."""
    return {"keys": [key.as_dict(private=False)]}


def _write_new(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    held = {name: _generate().as_dict(private=True) for name in ("token", "cds_client")}
    # Written whole beside its place, then linked: of two processes starting at once, the first one's keys stay.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(held, file, indent=1)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _generate() -> ECKey:
    return ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, private=True, auto_kid=True)
