"""Our own secret keys: what we sign with, and what pseudonyms and handles are derived from.

One JSON file (``CDS_KEYS_FILE``), readable by us alone::

    {"signing": [{JWK, private, "iat": 1700000000}], "master": ["..."],
     "pseudonym": "base64url, 32 bytes", "handle": "...", "session": "..."}

Which signing key signs, and which are published at ``/.well-known/jwks.json``, goes by when each was made
(:mod:`cds.signing_keys`); of those whose time is over only the public half is kept. The first master
key wraps the keys of the tenants, the others still unwrap; there is none where ``CDS_MASTER_KEY`` names one.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

from joserfc.jwk import KeySet

from cds.errors import ConfigurationError
from cds.settings import Settings
from cds.signing_keys import SigningKeys, generated


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one installation."""

    signing: SigningKeys = field(repr=False)
    pseudonym: bytes = field(repr=False)
    """De-identification: surrogates and date shifts; and what results are found again by."""
    handle: bytes = field(repr=False)
    """What an EHR carries for us: ``appContext``."""
    session: bytes = field(repr=False)
    """Sessions of the SMART app."""
    master: tuple[bytes, ...] = field(default=(), repr=False)
    """What wraps the tenants' keys, the newest first."""
    development: bool = False

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """The keys named by the settings; in development, made once and kept in the data directory.

        Raises :class:`ConfigurationError` where production has none, or has development keys.
        """
        path = file_of(settings)
        if not path.exists():
            if settings.keys_file or settings.production:
                raise ConfigurationError(f"CDS_KEYS_FILE {path} does not exist; `cds keys new {path}` makes one")
            write_new(settings.home() / "keys.json", development=True)
        keys = cls._read(path)
        if keys.development and not keys.master:
            _provide_master(path)
            keys = cls._read(path)
        if settings.production and keys.development:
            raise ConfigurationError("CDS_KEYS_FILE holds development keys; make your own with `cds keys new`")
        return keys

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            held = json.loads(path.read_text())
            return cls(
                signing=_signing(held["signing"]),
                pseudonym=_secret(held["pseudonym"]),
                handle=_secret(held["handle"]),
                session=_secret(held["session"]),
                master=tuple(map(_secret, held.get("master", ()))),
                development=bool(held.get("development", False)),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"CDS_KEYS_FILE {path} cannot be read ({type(error).__name__})") from None


def file_of(settings: Settings) -> Path:
    """Where our keys are."""
    return settings.keys_file or settings.data_dir / "keys.json"


def read_jwks(file: TextIO) -> KeySet:
    """The public keys in a JWK set (RFC 7517); :class:`ConfigurationError` where it is none."""
    try:
        return KeySet.import_key_set(json.load(file))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file.name} holds no JWK set ({type(error).__name__})") from None


def write_new(path: Path, *, development: bool = False) -> None:
    """Make a fresh set of keys at ``path``, mode 0600; an existing file is never touched."""
    held = {
        "development": development,
        "signing": _generated(time.time()),
        **{name: _b64(secrets.token_bytes(32)) for name in ("pseudonym", "handle", "session")},
        "master": [_b64(secrets.token_bytes(32))],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, held)
    # Linked whole: two processes starting at once agree on one file.
    try:
        os.link(draft, path)
    except FileExistsError:
        if not development:
            raise ConfigurationError(f"{path} exists; keys are not overwritten") from None
    finally:
        draft.unlink()


def add_signing(path: Path, now: float) -> None:
    """Put new signing keys before those that the file holds; of those that are over, forget the secret half."""
    with _alone(path) as held:
        known = _signing(held["signing"])
        for entry, key in zip(held["signing"], known.all.keys, strict=True):
            if known.is_over(key, now):
                entry.clear()
                entry.update(key.as_dict(private=False), iat=known.made.get(str(key.kid), 0))
        held["signing"] = [*_generated(now), *held["signing"]]
        _draft(path, held).replace(path)


def add_master(path: Path) -> None:
    """Put a new master key before those that the file holds; what they wrapped can still be unwrapped."""
    with _alone(path) as held:
        held["master"] = [_b64(secrets.token_bytes(32)), *held.get("master", ())]
        _draft(path, held).replace(path)


def _provide_master(path: Path) -> None:
    """Give a file of before there were master keys its first; of two processes at once, one does."""
    with _alone(path) as held:
        if not held.get("master"):
            held["master"] = [_b64(secrets.token_bytes(32))]
            _draft(path, held).replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[dict[str, Any]]:
    """What the file holds, while no other process changes it."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be given new keys ({type(error).__name__})") from None


def _generated(now: float) -> list[dict[str, Any]]:
    return [{**key.as_dict(private=True), "iat": int(now)} for key in generated()]


def _signing(entries: list[dict[str, Any]]) -> SigningKeys:
    """``iat`` is ours, and no part of the key: it is not published."""
    jwks = [{name: value for name, value in entry.items() if name != "iat"} for entry in entries]
    made = {entry["kid"]: float(entry["iat"]) for entry in entries if "iat" in entry}
    return SigningKeys(KeySet.import_key_set({"keys": jwks}), made)


def _draft(path: Path, held: dict[str, Any]) -> Path:
    """The keys in a file beside their place, readable by us alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(held, file, indent=1)
    return draft


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _secret(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) < 32:
        raise ValueError("a secret is shorter than 32 bytes")
    return raw
