"""What a table names, found in a folder: data sets come with endings left out, and with folders more or fewer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from cds.errors import ImagingError

SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".dcm", ".PNG", ".JPG", ".JPEG", ".DCM")
"""A name in the table may lack its file's ending, or have the one from before the files were converted."""


class Folder:
    """A folder of images, at any depth; what lies outside is not reached, unless a link in it leads there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, name: str, there: Callable[[Path], bool]) -> Path:
        """The path of that name for which ``there`` holds: as it is given, else with its first folders left out.

        A name without a folder is looked for in every folder below. Raises :class:`ImagingError` where there is
        none, or several are meant.
        """
        asked = PurePosixPath(name.replace("\\", "/"))
        if ".." in asked.parts:
            raise ImagingError("there is no such file")
        found = next(filter(there, self._as_given(asked)), None)
        return found or self._below(asked, there)

    def _as_given(self, asked: PurePosixPath) -> Iterator[Path]:
        parts = asked.parts[1:] if asked.is_absolute() else asked.parts
        for first in range(len(parts)):
            for name in _endings(asked.name):
                yield self._directory.joinpath(*parts[first:-1], name)

    def _below(self, asked: PurePosixPath, there: Callable[[Path], bool]) -> Path:
        names = _endings(asked.name) if len(asked.parts) == 1 else ()
        found = [path for name in names for path in self._by_name.get(name, ()) if there(path)]
        if not found:
            raise ImagingError("there is no such file")
        if len(found) > 1:
            raise ImagingError("several files have that name; write their folders before it")
        return found[0]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        held = defaultdict(list)
        for path in self._directory.rglob("*"):
            held[path.name].append(path)
        return held


def _endings(name: str) -> Iterable[str]:
    """Every name that ``name`` may mean, each once; as it is given first."""
    stem, dot, ending = name.rpartition(".")
    bases = (name, stem) if dot + ending in SUFFIXES[1:] else (name,)
    return dict.fromkeys(base + suffix for base in bases for suffix in SUFFIXES)
