"""From what a ray meets to what a film shows: exposure, scatter, noise, tone, collimation and lettering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cds.sandbox.radiograph.plate import Plane, Plate

DEPTH = 4095
"""The brightest value: 12 bits."""
ATTENUATION = 0.17
"""Per cm of water, at the energies of a chest film."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one film was taken and processed."""

    dose: float
    scatter: float
    contrast: float
    darkness: float
    flatten: float
    """How much of the coarse structure the processing takes out, 0 to 1."""
    sharpness: float
    border: tuple[float, float, float, float]
    """Collimated edges in cm: top, bottom, left, right."""

    @classmethod
    def draw(cls, rng: np.random.Generator, portable: bool) -> Self:
        edges = rng.exponential(0.5, 4) * (rng.random(4) < 0.35)
        return cls(
            dose=rng.uniform(12000, 40000) * (0.6 if portable else 1),
            scatter=rng.uniform(0.1, 0.3) + (0.25 if portable else 0),
            contrast=rng.normal(1.0, 0.1) * (0.9 if portable else 1),
            darkness=rng.normal(0, 0.5),
            flatten=rng.uniform(0.1, 0.4),
            sharpness=rng.uniform(0.2, 0.8),
            border=(float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])),
        )


def expose(plate: Plate, water: Plane, exposure: Exposure, rng: np.random.Generator) -> Plane:
    """The film's brightness, 0 to 1, bright where much is in the way."""
    reaching = np.exp(-np.float32(ATTENUATION) * plate.blur(water, 0.045))
    reaching = reaching + exposure.scatter * 0.12 * plate.blur(reaching, 4.0)
    pixel_dose = exposure.dose * (12.0 / plate.per_cm) ** 1.0
    grain = rng.standard_normal(plate.size, dtype=np.float32)
    reaching = reaching + grain * np.sqrt(reaching / np.float32(pixel_dose))
    seen = -np.log(np.clip(reaching, 1e-4, None)) / np.float32(ATTENUATION)
    seen -= np.float32(exposure.flatten) * (plate.blur(seen, 3.5) - np.float32(np.median(seen)))
    seen += np.float32(exposure.sharpness) * (seen - plate.blur(seen, 0.12))
    return _tone(plate, seen, exposure)


def _tone(plate: Plate, seen: Plane, exposure: Exposure) -> Plane:
    """The film's characteristic curve, placed on this chest as automatic processing does."""
    field = seen[plate.size[0] // 6 : -plate.size[0] // 8, plate.size[1] // 6 : -plate.size[1] // 6]
    dark, bright = np.percentile(field, [8, 92])
    middle = dark + 0.46 * (bright - dark) + exposure.darkness * 0.5
    slope = 3.6 * exposure.contrast / (bright - dark)
    tone = 1 / (1 + np.exp(-np.float32(slope) * (seen - np.float32(middle))))
    tone = (tone - 0.02) / 0.95
    return np.clip(_collimate(plate, tone, exposure), 0, 1).astype(np.float32)


def _collimate(plate: Plate, tone: Plane, exposure: Exposure) -> Plane:
    top, bottom, left, right = (round(edge * plate.per_cm) for edge in exposure.border)
    rows, columns = plate.size
    open_field = np.zeros(plate.size, np.float32)
    open_field[top : rows - bottom, left : columns - right] = 1
    return tone * open_field


def letter(tone: Plane, rng: np.random.Generator, view: str) -> NDArray[np.uint16]:
    """The film in 12 bits, with the lead marker of the left side and ``SYNTHETIC`` in a corner."""
    rows, columns = tone.shape
    mask = Image.new("L", (columns, rows), 0)
    draw = ImageDraw.Draw(mask)
    large, small = (ImageFont.load_default(max(7.0, rows * share)) for share in (0.036, 0.018))
    draw.text((columns * rng.uniform(0.86, 0.92), rows * rng.uniform(0.04, 0.12)), "L", 235, font=large)
    if view == "AP" and rng.random() < 0.6:
        draw.text((columns * 0.88, rows * 0.17), "AP", 225, font=small)
    ink = np.asarray(mask, np.float32) / np.float32(255)
    lettered = np.maximum(tone, ink)
    plaque = _plaque("SYNTHETIC", small)
    lettered[rows - plaque.shape[0] :, : plaque.shape[1]] = plaque
    return np.asarray(np.rint(np.clip(lettered, 0, 1) * DEPTH), np.uint16)


def _plaque(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Plane:
    """Light letters on a dark ground, so that they read on any film."""
    _, _, width, height = font.getbbox(text)
    plaque = Image.new("L", (int(width) + 4, int(height) + 4), 20)
    ImageDraw.Draw(plaque).text((2, 1), text, 200, font=font)
    return np.asarray(plaque, np.float32) / 255
