"""What was found out about a bundle on this machine, kept as files (:mod:`cds.engine.prepare` writes them)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeVar

from cds.engine.bundles import Bundle

FORM = 2
"""In which we write networks down; what was written in an older one is written anew."""
T = TypeVar("T")
What = Literal["logits", "saliency"]
"""What a network in ONNX gives: a model's own answers, or a map of what speaks for one of them."""

log = logging.getLogger(__name__)


def kept_file(bundle: Bundle, directory: Path, what: What = "logits") -> Path:
    """Where the ONNX of these very weights, made in this form by these very libraries, is kept."""
    made_by = f"{FORM}-{version('torch')}-{version('onnxruntime')}"
    return directory / f"{bundle.version.digest[:32]}-{what}-{made_by}.onnx"


def keep(made: bytes, kept: Path) -> None:
    """Whole or not at all; where there is no room, it is found out again at the next start."""
    unfinished = kept.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(made)
            file.flush()
            # Else, after a power cut, there may be a name without what it names.
            os.fsync(file.fileno())
        unfinished.rename(kept)
    except OSError as failure:
        log.warning("what was found out cannot be kept: %s", failure.strerror)
        unfinished.unlink(missing_ok=True)


def loaded(kept: Path, load: Callable[[str], T]) -> T | None:
    """What ``load`` makes of ``kept``, where it holds a network; one that is damaged goes, and is made anew."""
    if not usable(kept):
        return None
    try:
        return load(str(kept))
    except Exception as failure:  # onnxruntime raises classes of its own that have no common base
        log.warning("%s is damaged (%s) and removed", kept.name, type(failure).__name__)
        kept.unlink(missing_ok=True)
        return None


def usable(kept: Path) -> bool:
    """Whether ``kept`` holds a network: an empty file says that torch is to compute it."""
    return kept.is_file() and kept.stat().st_size > 0
