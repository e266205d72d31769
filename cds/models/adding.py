"""From a model of another form to a bundle: read, matched with our findings, written, tried, then put in place."""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils import logging

from cds.engine.bundles import Bundle, sha256
from cds.errors import ModelError
from cds.models import densenet, huggingface, onnx_file
from cds.models.card import card
from cds.models.labels import Mapping14, mapped
from cds.models.selftest import self_test
from cds.models.source import Source
from cds.models.weights import state_dict
from cds.settings import Settings

Say = Callable[[str], None]

HIGH, REVIEW = 0.85, 0.35
OPERATING_POINT = 0.5
"""Where a model's own operating point lies once its scores are scaled by it."""
INPUT_KEYS = frozenset(
    (
        *("height", "width", "channels", "mean", "std", "fit", "contrast"),
        *("modality", "body_part", "windows", "top_slices", "contrast_agent"),
        *("max_tokens", "stride"),
    )
)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever adds a model says of it."""

    name: str
    licence: str
    intended_use: str
    version: str = "1.0.0"
    map: Mapping[str, str] | None = None
    labels: Sequence[str] | None = None
    input: Mapping[str, Any] | None = None
    """Overrides of what the source says of its input."""
    activation: str | None = None
    calibration: Mapping[str, Mapping[str, float]] | None = None
    thresholds: Mapping[str, Mapping[str, Any]] | None = None
    size: int | None = None
    untrained: bool = False
    allow_pickle: bool = False


def add(settings: Settings, path: Path, wishes: Wishes, say: Say) -> Bundle:
    """Write the bundle and return it; raise :class:`ModelError`, and leave nothing behind, where it is unsound."""
    if not _NAME.fullmatch(wishes.name):
        raise ModelError("a bundle's name has small letters, digits, '.', '_' and '-', and 64 characters at most")
    place = settings.models_dir / wishes.name
    if place.exists():
        raise ModelError(f"there is a bundle {wishes.name} already")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    source = read(path, wishes, say)
    matched = mapped(_trained(source), wishes.map or {})
    for label in matched.unused:
        say(f"Not used: {label or 'an output without a name'}")
    with _workshop(settings.models_dir) as directory:
        source.write(directory)
        manifest = _manifest(source, matched, wishes)
        (directory / "card.md").write_text(card(path.name, source, matched, manifest))
        _seal(directory, manifest)
        results = self_test(settings, Bundle.load(directory))
        directory.rename(place)
    for line in results:
        say(line)
    return Bundle.load(place)


def read(path: Path, wishes: Wishes, say: Say) -> Source:
    """Recognise what ``path`` holds by what it is, and read it."""
    if path.is_dir() and (path / "config.json").is_file():
        return huggingface.read(path, wishes.labels, allow_pickle=wishes.allow_pickle)
    if path.is_file() and path.suffix == ".onnx":
        return onnx_file.read(path, wishes.labels, side=wishes.size)
    if path.is_file():
        tensors = state_dict(path, allow_pickle=wishes.allow_pickle, say=say)
        return densenet.read(tensors, wishes.labels)
    raise ModelError(f"{path} is neither a Hugging Face directory nor a file of weights")


def _trained(source: Source) -> tuple[str, ...]:
    """The labels, but for outputs that the model's own operating points show to be untrained."""
    return tuple(
        "" if math.isnan(source.operating_points.get(output, 0.0)) else label
        for output, label in enumerate(source.labels)
    )


def _manifest(source: Source, matched: Mapping14, wishes: Wishes) -> dict[str, Any]:
    keys = list(matched.outputs)
    if strange := (set(wishes.calibration or {}) | set(wishes.thresholds or {})) - set(keys):
        raise ModelError(f"calibration or thresholds for what the model does not find: {sorted(strange)}")
    if strange := set(wishes.input or {}) - INPUT_KEYS:
        raise ModelError(f"the input has no {sorted(strange)}; it has {sorted(INPUT_KEYS)}")
    manifest = {
        "name": wishes.name,
        "version": wishes.version,
        "kind": source.kind,
        "findings": keys,
        "outputs": [matched.outputs[key] for key in keys],
        "activation": wishes.activation or source.activation,
        "input": {**source.input, **(wishes.input or {})},
        "calibration": {key: _calibration(key, source, matched, wishes) for key in keys},
        "thresholds": {key: _thresholds(key, source, wishes) for key in keys},
        "licence": wishes.licence,
        "intended_use": wishes.intended_use,
    }
    return manifest | ({"untrained": True} if wishes.untrained else {})


def _calibration(key: str, source: Source, matched: Mapping14, wishes: Wishes) -> Mapping[str, float]:
    if wishes.calibration and key in wishes.calibration:
        return wishes.calibration[key]
    if source.operating_points:
        return {"operating_point": source.operating_points[matched.outputs[key]]}
    return {"slope": 1.0, "intercept": 0.0}


def _thresholds(key: str, source: Source, wishes: Wishes) -> Mapping[str, Any]:
    if wishes.thresholds and key in wishes.thresholds:
        return wishes.thresholds[key]
    return {"high": HIGH, "review": [OPERATING_POINT if source.operating_points else REVIEW, HIGH]}


def _seal(directory: Path, manifest: Mapping[str, Any]) -> None:
    files = {file.name: sha256(file) for file in sorted(directory.iterdir())}
    (directory / "bundle.json").write_text(json.dumps({**manifest, "files": files}, indent=1) + "\n")


@contextmanager
def _workshop(models_dir: Path) -> Iterator[Path]:
    """A directory beside the bundles, gone afterwards unless it was given a name."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix=".adding-", dir=models_dir))
        directory.chmod(0o755)
    except OSError as wrong:
        raise ModelError(f"CDS_MODELS_DIR {models_dir} cannot be written to: {wrong.strerror}") from None
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
