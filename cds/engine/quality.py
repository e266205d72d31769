"""Whether a picture is an upright frontal chest radiograph that an image model can be asked about.

It looks at a small copy of the framed picture and knows nothing of the model that will score it. How unlike known
films a picture is, is its energy under probabilistic principal components (Tipping & Bishop 1999; Moghaddam &
Pentland 1997); of which kind it is instead, two small layers say. ``training/quality`` makes the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.findings import ModelVersion

Array = NDArray[np.float32]

FINE, SMALL = 96, 48
"""Sides in pixels of what grain and grey values are told by, and of what everything else is."""
GREYS = 16
"""Bins of the histogram."""
FLAT = 0.004
"""A picture with less contrast than this (standard deviation) is blank: one grey value of 256."""
BLANK = "is blank"
UNLIKE = "unlike"
WORDS: Mapping[str, str] = {
    UNLIKE: "does not look like a frontal chest radiograph",
    "turned": "seems to be turned",
    "lateral": "seems to be a lateral view",
    "exposure": "seems to be badly exposed",
    "inverted": "seems to be black for white",
    "photographed": "seems to be a photograph of a film or a screen",
}
"""What is said of each kind, after "the film"."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture is judged by, or ``None`` in its place where it is blank."""

    shape: Array
    """(SMALL * SMALL,): mean 0, standard deviation 1."""
    tone: Array
    """(GREYS + 1,): shares of grey values, roots, and how grainy it is."""

    @classmethod
    def at(cls, pixels: Array) -> Self | None:
        picture = np.asarray(Image.fromarray(pixels).resize((FINE, FINE), Image.Resampling.BOX))
        if picture.std() < FLAT:
            return None
        low, high = np.percentile(picture, (1.0, 99.0))
        stretched = np.clip((picture - low) / max(high - low, FLAT), 0, 1)
        greys = np.histogram(stretched, GREYS, (0.0, 1.0))[0] / stretched.size
        grain = np.abs(np.diff(stretched, 2, axis=0)).mean() + np.abs(np.diff(stretched, 2, axis=1)).mean()
        small = stretched.reshape(SMALL, FINE // SMALL, SMALL, FINE // SMALL).mean((1, 3))
        shape = ((small - small.mean()) / max(small.std(), FLAT)).astype(np.float32).ravel()
        return cls(shape, np.append(np.sqrt(greys), np.log(grain + 1e-4)).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components of known films."""

    mean: Array
    basis: Array
    """(components, SMALL * SMALL), orthonormal."""
    spread: Array
    """(components,): standard deviation along each."""
    rest: Array
    """(): the same along any other direction."""

    def features(self, shape: Array) -> tuple[Array, float]:
        """Places along the components, in standard deviations, and the energy per dimension, as a logarithm."""
        off = shape - self.mean
        along = self.basis @ off
        left = off - along @ self.basis
        places = (along / self.spread).astype(np.float32)
        energy = (places @ places + left @ left / self.rest**2) / len(shape)
        return places, float(np.log(energy + 1e-9))


class QualityGate:
    """The gate of one bundle of kind ``quality``; a call takes a few milliseconds of one core, and no torch."""

    def __init__(
        self,
        version: ModelVersion,
        components: Components,
        layers: Mapping[str, Array],
        limits: Mapping[str, float],
    ) -> None:
        """``limits``: by kind of :data:`WORDS` the score from which it is said, :data:`UNLIKE` first."""
        self.version = version
        self._components = components
        self._layers = layers
        self._limits = limits

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Raise :class:`ModelError` where the bundle is of another kind or cannot be used."""
        limits: Mapping[str, float] = bundle.expect("quality").manifest.get("limits", {})
        try:
            held = load_file(bundle.directory / "model.safetensors")
            held = {name: tensor.astype(np.float32) for name, tensor in held.items()}
            components = Components(*(held[name] for name in ("mean", "basis", "spread", "rest")))
            gate = cls(bundle.version, components, held, limits)
            scores = gate.scores(np.eye(FINE, dtype=np.float32))
        except (OSError, SafetensorError, KeyError, ValueError) as wrong:
            raise ModelError(f"quality bundle {bundle.directory.name} cannot be used: {wrong}") from None
        if set(scores) != set(limits) or not set(limits) <= set(WORDS):
            raise ModelError(f"quality bundle {bundle.directory.name}: its limits do not fit its scores")
        return gate

    def __call__(self, pixels: Array) -> tuple[str, ...]:
        """What is wrong with a framed picture, (height, width) in 0..1, dense tissue bright; empty: nothing."""
        scores = self.scores(pixels)
        if not scores:
            return (BLANK,)
        return tuple(WORDS[kind] for kind, score in scores.items() if score >= self._limits[kind])

    def scores(self, pixels: Array) -> dict[str, float]:
        """By kind, the higher the surer; none of a blank picture."""
        look = Look.at(pixels)
        if look is None:
            return {}
        features, energy = self.features(look)
        hidden = np.maximum(self._layers["hidden.weight"] @ features + self._layers["hidden.bias"], 0)
        kinds = self._layers["kinds.weight"] @ hidden + self._layers["kinds.bias"]
        names = [name for name in self._limits if name != UNLIKE]
        return {UNLIKE: energy, **dict(zip(names, map(float, kinds), strict=True))}

    def features(self, look: Look) -> tuple[Array, float]:
        """What the layers read, each scaled alike, and the energy."""
        places, energy = self._components.features(look.shape)
        tone = (look.tone - self._layers["tone.mean"]) / self._layers["tone.spread"]
        return np.concatenate([np.clip(places, -5, 5), tone, [energy]]).astype(np.float32), energy
