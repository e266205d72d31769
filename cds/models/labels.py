"""What a model or a table calls a finding, and what we call it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cds.errors import ModelError
from cds.findings import KNOWN_FINDINGS

SYNONYMS = {
    "atelectasis": ("lung collapse", "collapse"),
    "cardiomegaly": ("enlarged heart", "enlarged cardiac silhouette", "heart enlargement"),
    "consolidation": ("airspace consolidation", "lung consolidation", "pulmonary consolidation"),
    "edema": ("oedema", "pulmonary edema", "pulmonary oedema", "lung edema"),
    "effusion": ("pleural effusion", "pleural fluid"),
    "emphysema": ("pulmonary emphysema", "lung emphysema"),
    "fibrosis": ("pulmonary fibrosis", "lung fibrosis", "fibrosis of lung"),
    "hernia": ("hiatal hernia", "hiatus hernia", "diaphragmatic hernia"),
    "infiltration": ("infiltrate", "infiltrates", "lung infiltrate", "pulmonary infiltrate"),
    "mass": ("lung mass", "pulmonary mass"),
    "nodule": ("lung nodule", "pulmonary nodule", "nodule of lung"),
    "pleural_thickening": ("pleural thickness", "thickened pleura", "thickening of pleura"),
    "pneumonia": ("lung infection",),
    "pneumothorax": ("ptx", "collapsed lung"),
    "hemorrhage": ("intracranial hemorrhage", "intracranial haemorrhage", "haemorrhage", "ich"),
    "embolism": ("pulmonary embolism", "pulmonary embolus"),
    "skull_fracture": ("fracture of skull", "calvarial fracture"),
}
"""A fracture of another bone goes by no name: torchxrayvision's is of ribs on radiographs. ``--map`` names it."""

CHESTXRAY14 = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
"""The order of ChestX-ray14, and of every CheXNet."""

TORCHXRAYVISION = (
    "Atelectasis",
    "Consolidation",
    "Infiltration",
    "Pneumothorax",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Effusion",
    "Pneumonia",
    "Pleural_Thickening",
    "Cardiomegaly",
    "Nodule",
    "Mass",
    "Hernia",
    "Lung Lesion",
    "Fracture",
    "Lung Opacity",
    "Enlarged Cardiomediastinum",
)
"""The order of torchxrayvision's DenseNets, all of them."""


@dataclass(frozen=True, slots=True)
class Mapping14:
    """Which output of a model speaks of which of our findings."""

    outputs: Mapping[str, int]
    """By finding, in our order."""
    unused: tuple[str, ...]
    """Labels that none of our findings corresponds to."""


def finding(label: str) -> str | None:
    """Our key for what others call ``label``; ``None`` where we have no such finding."""
    return _KNOWN.get(_plain(label))


def column(name: str) -> str | None:
    """The same of a table's column: there a fracture is of whatever the bundle looks for one in."""
    named = (key for key, kind in KNOWN_FINDINGS.items() if _plain(name) in (_plain(key), _plain(kind.display)))
    return finding(name) or next(named, None)


def mapped(labels: Sequence[str], given: Mapping[str, str]) -> Mapping14:
    """Match the labels of a model's outputs, in order; ``given`` (label to finding) goes before our own names.

    Raises :class:`ModelError` where nothing matches, two labels match one finding, or ``given`` is at odds with
    either side.
    """
    if strange := set(given) - set(labels):
        raise ModelError(f"the map names labels that the model does not have: {sorted(strange)}")
    if strange := set(given.values()) - set(KNOWN_FINDINGS):
        raise ModelError(
            f"the map names findings that we do not know: {sorted(strange)}; they are {sorted(KNOWN_FINDINGS)}"
        )
    found: dict[str, int] = {}
    for output, label in enumerate(labels):
        key = given.get(label) or (None if given else finding(label))
        if key and key in found:
            raise ModelError(f"{labels[found[key]]!r} and {label!r} both mean {key}; say which one with --map")
        if key:
            found[key] = output
    if not found:
        raise ModelError(
            f"none of the model's labels is a finding of ours ({_some(labels)}); name them with --map"
        )
    unused = tuple(label for output, label in enumerate(labels) if output not in found.values())
    return Mapping14({key: found[key] for key in KNOWN_FINDINGS if key in found}, unused)


def read_map(file: Path) -> dict[str, str]:
    """``{"label of the model": "finding of ours"}`` from a JSON file."""
    try:
        given = json.loads(file.read_text())
    except (OSError, ValueError) as wrong:
        raise ModelError(f"{file} is no JSON file that can be read: {wrong}") from None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ModelError(f"{file} must hold one JSON object of label and finding, both text")
    return given


def read_labels(file: Path) -> tuple[str, ...]:
    """One label to a line, in the order of the model's outputs; an empty line is an output without a name."""
    try:
        return tuple(line.strip() for line in file.read_text().splitlines())
    except (OSError, ValueError) as wrong:
        raise ModelError(f"{file} cannot be read: {wrong}") from None


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", label.lower()).strip()


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (" …" if len(labels) > 6 else "")


_KNOWN = {_plain(name): key for key in SYNONYMS for name in (key, KNOWN_FINDINGS[key].display, *SYNONYMS[key])}
