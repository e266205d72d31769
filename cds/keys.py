"""Our own secret keys: what we sign with, and what pseudonyms and handles are derived from.

One JSON file (``CDS_KEYS_FILE``), readable by us alone::

    {"signing": [{JWK, private}], "pseudonym": "base64url, 32 bytes", "handle": "...", "session": "..."}

The first signing key signs; the public halves of all are published at ``/.well-known/jwks.json``.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from joserfc.jwk import ECKey, KeySet

from cds.errors import ConfigurationError
from cds.settings import Settings


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one installation."""

    signing: KeySet = field(repr=False)
    pseudonym: bytes = field(repr=False)
    """De-identification: surrogates and date shifts."""
    handle: bytes = field(repr=False)
    """What an EHR carries for us: ``appContext``."""
    session: bytes = field(repr=False)
    """Sessions of the SMART app."""
    development: bool = False

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """The keys named by the settings; in development, made once and kept in the data directory.

        Raises :class:`ConfigurationError` where production has none, or has development keys.
        """
        path = settings.keys_file or settings.data_dir / "keys.json"
        if not path.exists():
            if settings.keys_file or settings.production:
                raise ConfigurationError(f"CDS_KEYS_FILE {path} does not exist; `cds keys new {path}` makes one")
            write_new(settings.home() / "keys.json", development=True)
        keys = cls._read(path)
        if settings.production and keys.development:
            raise ConfigurationError("CDS_KEYS_FILE holds development keys; make your own with `cds keys new`")
        return keys

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            held = json.loads(path.read_text())
            return cls(
                signing=KeySet.import_key_set({"keys": held["signing"]}),
                pseudonym=_secret(held["pseudonym"]),
                handle=_secret(held["handle"]),
                session=_secret(held["session"]),
                development=bool(held.get("development", False)),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"CDS_KEYS_FILE {path} cannot be read ({type(error).__name__})") from None

    def public_jwks(self) -> dict[str, Any]:
        """What others verify our signatures with (RFC 7517); every key names its ``kid`` and ``alg``."""
        return cast(dict[str, Any], self.signing.as_dict(private=False))


def write_new(path: Path, *, development: bool = False) -> None:
    """Make a fresh set of keys at ``path``, mode 0600; an existing file is never touched."""
    key = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, private=True, auto_kid=True)
    held = {
        "development": development,
        "signing": [key.as_dict(private=True)],
        **{name: _b64(secrets.token_bytes(32)) for name in ("pseudonym", "handle", "session")},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written whole beside its place, then linked: two processes starting at once agree on one file.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(held, file, indent=1)
    try:
        os.link(draft, path)
    except FileExistsError:
        if not development:
            raise ConfigurationError(f"{path} exists; keys are not overwritten") from None
    finally:
        draft.unlink()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _secret(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) < 32:
        raise ValueError("a secret is shorter than 32 bytes")
    return raw
