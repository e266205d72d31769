"""The master key, which wraps every tenant's keys and is never in the database.

``CDS_MASTER_KEY`` names it: a key (256 bits, base64url), or the address of one in a KMS, for whose scheme an
installed package brings a plug-in; where it is empty, the ``master`` keys of ``CDS_KEYS_FILE``. Several may stand
there, parted by spaces: the first wraps, the others still unwrap what they once wrapped.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cds.errors import ConfigurationError
from cds.keys import Keys
from cds.settings import Settings

PLUG_INS = "sightline.kms"
"""Entry points named by a URI's scheme: callables that take the URI and return a :class:`MasterKey`."""


class MasterKey(Protocol):
    """An AEAD in the sense of Tink: each of its KMS clients gives one."""

    def encrypt(self, plaintext: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, ciphertext: bytes, associated_data: bytes, /) -> bytes: ...


class LocalMasterKey:
    """A key of 32 bytes that the process itself holds: AES-256-GCM."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, plaintext: bytes, associated_data: bytes, /) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, plaintext, associated_data)

    def decrypt(self, ciphertext: bytes, associated_data: bytes, /) -> bytes:
        return self._cipher.decrypt(ciphertext[:12], ciphertext[12:], associated_data)


class MasterKeys:
    """The first wraps; what it did not wrap, one of the others unwraps."""

    def __init__(self, keys: Iterable[MasterKey]) -> None:
        self._keys = tuple(keys)

    def encrypt(self, plaintext: bytes, associated_data: bytes, /) -> bytes:
        return self._keys[0].encrypt(plaintext, associated_data)

    def decrypt(self, ciphertext: bytes, associated_data: bytes, /) -> bytes:
        for key in self._keys:
            try:
                return key.decrypt(ciphertext, associated_data)
            except Exception as error:
                refusal = type(error).__name__
        raise ConfigurationError(f"no master key opens the tenant's keys ({refusal}): CDS_MASTER_KEY is another's")


def from_settings(settings: Settings, keys: Keys) -> MasterKeys:
    """Raises :class:`ConfigurationError` where there is none, or it cannot be used."""
    named = settings.master_key.split()
    if not named and not keys.master:
        raise ConfigurationError("CDS_KEYS_FILE holds no master key; `cds keys master FILE` adds one")
    return MasterKeys([_named(name) for name in named] or [LocalMasterKey(key) for key in keys.master])


def _named(name: str) -> MasterKey:
    scheme, separator, _ = name.partition("://")
    if not separator:
        return LocalMasterKey(_decoded(name))
    found = entry_points(group=PLUG_INS, name=scheme)
    if not found:
        raise ConfigurationError(
            f"CDS_MASTER_KEY names {scheme}://, for which no plug-in is installed ({PLUG_INS})"
        )
    try:
        key: MasterKey = next(iter(found)).load()(name)
    except Exception as error:
        raise ConfigurationError(f"CDS_MASTER_KEY cannot be used ({type(error).__name__})") from error
    return key


def _decoded(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfigurationError("CDS_MASTER_KEY must be 32 bytes in base64url, or the address of a key in a KMS")
    return key
