"""What a bundle's network is tried with, made here: no film and no note of anybody's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.image import Picture, input_of
from cds.engine.network import Inputs
from cds.engine.tokens import Tokens

ROWS = 16
SAMPLES = ("No pleural effusion.", "Large right pneumothorax with mediastinal shift; chest tube placed at once.")
NOTES = (
    *SAMPLES,
    "Small bilateral pleural effusions, possibly increased.",
    "Patchy opacity in the right lower lobe, concerning for pneumonia versus atelectasis.",
    "The heart is enlarged with pulmonary vascular congestion and interstitial edema.",
    "Lungs are clear without focal consolidation, effusion or pneumothorax.",
    "2.3 cm spiculated mass in the left upper lobe.",
    "Multiple small nodules, unchanged.",
    "Hyperinflated lungs with flattened diaphragms, consistent with emphysema.",
    "Reticular opacities at both bases, likely fibrosis; pleural thickening on the left.",
    "Large hiatal hernia.",
    "Fever and productive cough for three days, sats 88% on room air.",
    "Status post thoracentesis, cannot exclude a tiny apical pneumothorax.",
    "Pain in the left knee.",
    "",
    " ".join(SAMPLES * 4),
)
"""Findings that are there, are not and may be; short, long and nothing of it."""
CHESTS = (
    (0.0, 0.45, 0.25, 0.0),
    (0.6, 0.45, 0.25, 0.02),
    (1.0, -0.45, 0.3, 0.05),
    (0.3, 0.3, 0.55, 0.02),
    (1.0, 0.5, 0.5, 0.02),
)
"""Density and side of an opacity, half the heart's width, and grain. What a network that rounds makes of them it
makes of films; of noise it is several times less off (docs/evaluation.md)."""


def examples_for(bundle: Bundle) -> Sequence[Inputs]:
    """Inputs of a bundle's network; of different sizes, where sizes may differ."""
    if bundle.version.kind == "image":
        return [{"pixel_values": input_of(bundle, picture)} for picture in _pictures(bundle)]
    tokens = Tokens.of(bundle.directory)
    tokens.limit(bundle.input.get("max_tokens", tokens.positions))
    return [tokens.inputs(texts) for texts in ([SAMPLES[0]] * ROWS, SAMPLES, NOTES)]


def _pictures(bundle: Bundle) -> Iterator[Picture]:
    """Noise, and chests, each black for white too."""
    shape = bundle.input["height"], bundle.input["width"]
    chests = [_chest(shape, *drawn) for drawn in CHESTS]
    noise = np.random.default_rng(0).random(shape, np.float32)
    return chain([noise], chests, (1 - chest for chest in chests))


def _chest(shape: tuple[int, int], density: float, side: float, heart: float, grain: float) -> Picture:
    """Two dark lungs with ribs beside a bright middle, the heart and an opacity in them."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, pixels) for pixels in shape), indexing="ij")
    lungs = np.exp(-(((abs(x) - 0.45) / 0.3) ** 4) - (y / 0.75) ** 4)
    ribs = 0.06 * np.cos(16 * y + 3 * x**2)
    opacity = density * np.exp(-((x - side) ** 2 + (y - 0.35) ** 2) / 0.08)
    dense = np.maximum(opacity, np.exp(-(((x + 0.12) / heart) ** 4) - ((y - 0.35) / 0.35) ** 4))
    drawn = 0.75 - 0.1 * y - lungs * (0.5 * (1 - dense) - ribs)
    grained = drawn + grain * np.random.default_rng(1).standard_normal(shape)
    return np.clip(grained, 0, 1).astype(np.float32)
