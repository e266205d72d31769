"""What was found out about a bundle on this machine, kept as files (:mod:`cds.engine.prepare` writes them)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Literal

from cds.engine.bundles import Bundle

FORM = 2
"""In which we write networks down; what was written in an older one is written anew."""
What = Literal["logits", "saliency"]
"""What a network in ONNX gives: a model's own answers, or a map of what speaks for one of them."""


def kept_file(bundle: Bundle, directory: Path, what: What = "logits") -> Path:
    """Where the ONNX of these very weights, made in this form by these very libraries, is kept."""
    made_by = f"{FORM}-{version('torch')}-{version('onnxruntime')}"
    return directory / f"{bundle.version.digest[:32]}-{what}-{made_by}.onnx"


def usable(kept: Path) -> bool:
    """Whether ``kept`` holds a network: an empty file says that torch is to compute it."""
    return kept.is_file() and kept.stat().st_size > 0
