"""``cds clients``: the EHRs of ``CDS_REGISTRATIONS_FILE``, listed, added and removed.

The file is checked whole before it is written, and written whole beside its place: a service that starts meanwhile
reads the old one or the new one.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from cds.errors import ConfigurationError
from cds.registration import Registration, read_entries
from cds.settings import Settings

Entry = Mapping[str, Any]


def file_of(settings: Settings) -> Path:
    """The registrations file, links followed; :class:`ConfigurationError` where none is set."""
    if not settings.registrations_file:
        raise ConfigurationError("CDS_REGISTRATIONS_FILE is not set")
    return settings.registrations_file.resolve()


def listed(path: Path) -> list[Registration]:
    """All registrations of the file, checked."""
    return [Registration.from_json(entry) for entry in read_entries(path)]


def entry_from(file: TextIO) -> Entry:
    """One registration as JSON; :class:`ConfigurationError` for anything else."""
    try:
        entry = json.load(file)
    except ValueError:
        raise ConfigurationError(f"{file.name} does not hold JSON") from None
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{file.name} must hold one registration, a JSON object")
    return entry


def add(path: Path, entry: Entry) -> Registration:
    """Write one more registration, making the file if there is none; an issuer stands in it once."""
    new = Registration.from_json(entry)
    with _alone(path):
        entries = read_entries(path) if path.exists() else []
        if any(held.get("issuer") == new.issuer for held in entries):
            raise ConfigurationError(f"{new.issuer} is registered already; remove it first")
        _write(path, [*entries, entry])
    return new


def remove(path: Path, issuer: str) -> None:
    """Write the others; :class:`ConfigurationError` where there is no such issuer."""
    with _alone(path):
        entries = read_entries(path)
        others = [entry for entry in entries if entry.get("issuer") != issuer]
        if len(others) == len(entries):
            raise ConfigurationError(f"{issuer} is not registered")
        _write(path, others)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the directory's lock: two who change the file at once do it one after the other."""
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(f"{path.parent} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _write(path: Path, entries: Sequence[Entry]) -> None:
    for entry in entries:
        Registration.from_json(entry)
    try:
        _replace(path, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _replace(path: Path, text: str) -> None:
    """Put ``text`` in the file's place, with the owner and the mode that the file had."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        try:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())
            if path.exists():
                held = path.stat()
                os.fchown(draft.fileno(), held.st_uid, held.st_gid)
                os.fchmod(draft.fileno(), held.st_mode & 0o777)
            else:
                os.fchmod(draft.fileno(), 0o644)
            os.replace(draft.name, path)
        except BaseException:
            os.unlink(draft.name)
            raise
