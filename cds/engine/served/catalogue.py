"""The bundles of a directory by the name and version under which a server has them."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from cds.engine.bundles import Bundle
from cds.engine.version_number import version_number
from cds.errors import ModelError, Unknown

KINDS = ("image", "note")

_log = logging.getLogger(__name__)


class Catalogue:
    """Looks anew each time: a version whose bundle is put beside the others is there."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir

    def bundles(self) -> list[Bundle]:
        """All that can be used, of images and notes."""
        manifests = sorted(self._models_dir.glob("*/bundle.json"))
        loaded = [_loaded(path.parent, path.stat().st_mtime_ns) for path in manifests]
        return [b for b in loaded if b and b.version.kind in KINDS and not b.untrained]

    def versions(self, name: str) -> list[str]:
        """Raises :class:`Unknown` where there is no such model."""
        found = [version_number(b.version) for b in self.bundles() if b.version.name == name]
        if not found:
            raise Unknown(f"there is no model {name}")
        return found

    def find(self, name: str, version: str) -> Bundle:
        """Raises :class:`Unknown` where there is no such version."""
        for bundle in self.bundles():
            if (bundle.version.name, version_number(bundle.version)) == (name, version):
                return bundle
        raise Unknown(f"there is no version {version} of {name}")


@lru_cache(maxsize=64)
def _loaded(directory: Path, changed: int) -> Bundle | None:
    """``None`` for one that is broken; ``changed`` makes a bundle that was replaced another one."""
    try:
        return Bundle.load(directory)
    except ModelError as wrong:
        _log.warning("left out: %s", wrong)
        return None
