"""What a model of another form brings along, whatever that form is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

MAX_TOKENS, STRIDE = 512, 64


@dataclass(frozen=True, slots=True)
class Source:
    """A model that was read and found sound, ready to be written as a bundle."""

    kind: Literal["image", "note"]
    form: str
    """In words, for the card."""
    labels: tuple[str, ...]
    """What it calls its outputs, in their order; empty text where it says nothing."""
    input: Mapping[str, Any]
    """The bundle's ``input``."""
    activation: str
    """One of :data:`cds.engine.networks.ACTIVATIONS`."""
    write: Callable[[Path], None]
    """Writes the model's files into a directory, in the form that the engine loads."""
    operating_points: Mapping[int, float] = field(default_factory=dict)
    """By output."""
