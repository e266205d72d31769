"""The skeleton of the chest as tubes and slabs of bone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cds.sandbox.radiograph.body import SIDES, Body, sign
from cds.sandbox.radiograph.plate import Path, Plane, Plate, cortical, step

FIRST_RIB_END = 0.93 * np.pi
FLOATING_RIB_END = 0.45 * np.pi
"""How far round the chest the first rib reaches, and how far none but the last two do not."""


def skeleton(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """Bone, in cm of its thickness."""
    bone = plate.tubes(ribs(body, rng), cortical)
    bone += plate.tubes(_clavicles(body, rng), cortical)
    bone += _scapulae(plate, body, rng)
    bone += _spine(plate, body, rng)
    for humerus in _arms(body):
        bone += np.float32(0.3) * plate.limb(humerus)
    return np.asarray(bone * rng.uniform(0.85, 1.1), np.float32)


def ribs(body: Body, rng: np.random.Generator) -> Iterator[Path]:
    """Twelve pairs: each a tilted ring from the spine round the side to where its cartilage begins."""
    pitch = (body.dome["right"] - body.apex) / 9.4
    wobble = rng.normal(0, 0.1, 12)
    for number in range(12):
        height = body.apex - 0.4 + pitch * number * (0.9 + 0.008 * number) + wobble[number]
        drop = body.rib_drop * float(np.interp(number, [0, 1, 5, 9, 11], [3.6, 4.6, 8.4, 8.0, 6.0]))
        end = np.pi * float(np.interp(number, [0, 1, 6, 9, 10, 11], [0.93, 0.84, 0.74, 0.62, 0.42, 0.3]))
        for side in SIDES:
            yield _rib(body, sign(side), height, drop, end)


def _rib(body: Body, out: float, height: float, drop: float, end: float) -> Path:
    """One rib from ``height`` on the spine, ``drop`` lower at the sternum, as far round as ``end`` radians."""
    turn = np.linspace(0.055 * np.pi, end, 70)
    y = height + drop * (1 - np.cos(turn)) / 2 - 0.5 * np.sin(turn * 2).clip(0)
    reach = float(body.outer(np.array(height + drop * 0.5 + 0.4))) + 0.35
    if end > FIRST_RIB_END - 0.01:
        reach *= 0.78
    x = reach * np.sin(turn) ** 0.86
    radius = np.interp(turn / np.pi, [0.055, 0.3, 0.5, 0.62, 0.93], [0.46, 0.56, 0.46, 0.52, 0.6])
    if end < FLOATING_RIB_END:
        radius *= 0.8
    radius[-8:] *= np.linspace(1, 0.35, 8)
    radius[:4] *= np.linspace(0.5, 1, 4)
    return Path(np.stack([out * x, y], axis=1), radius)


def _clavicles(body: Body, rng: np.random.Generator) -> Iterator[Path]:
    """S-shaped, from beside the sternum to above the shoulder; their inner ends tell rotation."""
    rise, rotation = rng.normal(2.6, 0.6), rng.normal(0, 0.35)
    out = np.linspace(0, 1, 50)
    for side in SIDES:
        x = sign(side) * (1.7 + (body.half_width + 0.4) * out) + rotation * (1 - out)
        y = body.apex + 3.3 - body.lordosis - rise * out - 0.8 * np.sin(out * 2 * np.pi) * (0.7 + 0.3 * out)
        radius = np.interp(out, [0, 0.04, 0.12, 0.5, 0.95, 1], [0.3, 0.9, 0.68, 0.56, 0.72, 0.3])
        yield Path(np.stack([x, y], axis=1), radius)


def _scapulae(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """Two thin blades with a thick outer border, a spine and a glenoid; turned off the lungs in a PA view."""
    aside = body.half_width - (3.4 if body.view == "AP" else 1.6) + rng.normal(0, 0.5)
    top = body.apex + 1.2 - body.lordosis * 0.4
    bone = np.zeros(plate.size, np.float32)
    for side in SIDES:
        x = plate.x * np.float32(sign(side)) - np.float32(aside)
        y = plate.y - np.float32(top)
        lower = 14.5 - 4.2 * np.clip(x, -3, 6)
        blade = (
            step(x + 0.4 - 0.11 * y, 0.15)
            * step(lower - y, 0.2)
            * step(y - 0.5 - 0.15 * x, 0.15)
            * step(4.6 - x, 0.3)
        )
        bone += np.float32(0.26) * blade
        corners = np.array([[0.3, 0.6], [0.1, 4], [0.9, 10], [1.6, 13.4], [2.2, 12.4], [3.2, 7.0], [4.5, 3.4]])
        border = np.stack([sign(side) * (corners[:, 0] + aside - 0.5), corners[:, 1] + top], axis=1)
        spine = np.array([[0.6, 3.6], [3, 1.6], [5.6, -0.6], [6.6, -0.9]])
        ridge = np.stack([sign(side) * (spine[:, 0] + aside), spine[:, 1] + top], axis=1)
        edges = [Path.of(border, np.linspace(0.12, 0.34, 7)), Path.of(ridge, np.linspace(0.22, 0.55, 4))]
        bone += np.float32(0.75) * plate.tubes(edges, cortical)
        bone += plate.ellipsoid((sign(side) * (aside + 4.2), top + 2.2), (0.7, 1.6), 0.7, sign(side) * -0.1)
    return bone


def _spine(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """Vertebral bodies between discs, with end plates, pedicles and spinous processes."""
    bone = np.zeros(plate.size, np.float32)
    bend, phase = rng.normal(0, 0.35), rng.uniform(0, 6)
    x = plate.x - np.float32(bend) * np.sin(plate.y / 9 + np.float32(phase))
    top = body.apex - 5.5 + rng.uniform(0, 1)
    for number in range(22):
        high = 1.55 + 0.06 * number
        middle, half = top + high / 2, 1.25 + 0.035 * number
        here = plate.window((-3.5, middle - 2.5), (3.5, middle + 2.5))
        bone[here] += _vertebra(x[here], plate.y[here] - np.float32(middle), half, high)
        top += high + 0.42
    return bone


def _vertebra(x: Plane, y: Plane, half: float, high: float) -> Plane:
    """One vertebra ``high`` cm tall and about ``half`` cm to each side of ``x`` = 0."""
    waist = half - 0.16 * np.cos(np.clip(y / (high / 2), -1, 1) * np.float32(np.pi / 2))
    slab = step(waist - np.abs(x), 0.1) * step(np.float32(high / 2 - 0.14) - np.abs(y), 0.09)
    plates = slab * np.exp(-(((np.abs(y) - np.float32(high / 2 - 0.22)) / 0.1) ** 2))
    pedicles = ((np.abs(x) - np.float32(half * 0.72)) / 0.24) ** 2 + ((y + 0.1) / 0.42) ** 2
    process = (x / 0.22) ** 2 + ((y - 0.75) / 0.55) ** 2
    bone: Plane = 0.2 * slab + 0.22 * plates + 0.3 * np.exp(-(pedicles**2)) + 0.28 * np.exp(-(process**2))
    return bone


def _arms(body: Body) -> Iterator[Path]:
    """The humeri, held away from the body."""
    x, y = body.half_width + 3.6, body.apex
    line = np.array([[x, y + 2.6], [x + 0.3, y + 4.0], [x + 1.4, y + 8], [x + 4, y + 18]])
    for side in SIDES:
        yield Path(line * [sign(side), 1], np.array([1.9, 1.9, 1.15, 1.1]))
