"""The chest as layers that a ray passes: soft tissue, lungs, heart and vessels, bone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cds.sandbox.radiograph.body import SIDES, Body, Side, sign
from cds.sandbox.radiograph.bones import skeleton
from cds.sandbox.radiograph.plate import Path, Plane, Plate, step

BONE_AS_WATER = 3.1
"""How many cm of water stop as much as one cm of bone."""


@dataclass(slots=True)
class Lung:
    """One lung as planes over the whole detector."""

    side: Side
    thickness: Plane
    """Along the ray, in cm, inside the rib cage and beside the mediastinum."""
    density: Plane
    """The share of the lung that is not air, 0 to 1: about 0.25 in health, 1 where fluid fills it."""
    vessels: Plane
    """Vessels along the ray, in cm."""
    edge: Plane
    """The distance to the rib cage's inner wall, in cm: positive inside."""
    floor: Plane
    """The distance above the diaphragm, in cm."""


@dataclass(slots=True)
class Chest:
    """Everything between the tube and the detector; findings change it in place."""

    plate: Plate
    body: Body
    tissue: Plane
    bone: Plane
    lungs: dict[Side, Lung]
    extra: Plane = field(init=False)
    """What findings add, in cm of water, wherever it lies."""

    def __post_init__(self) -> None:
        self.extra = np.zeros(self.plate.size, np.float32)

    @classmethod
    def build(cls, plate: Plate, body: Body, rng: np.random.Generator) -> Chest:
        frame, tree, skin = rng.spawn(3)
        mediastinum = _mediastinum(plate, body)
        lungs = {side: _lung(plate, body, side, mediastinum, tree) for side in SIDES}
        return cls(plate, body, _soft_tissue(plate, body, skin), skeleton(plate, body, frame), lungs)

    def water(self) -> Plane:
        """What the ray meets, in cm of water."""
        total = self.tissue + np.float32(BONE_AS_WATER) * self.bone + self.extra
        for lung in self.lungs.values():
            air = 1 - lung.density
            total = total - lung.thickness * air + lung.vessels * np.clip(air, 0, 1)
        return np.maximum(total, 0)

    def hilum(self, side: Side) -> tuple[float, float]:
        return hilum(self.body, side)


def hilum(body: Body, side: Side) -> tuple[float, float]:
    """Where the vessels enter; the left one lies a little higher."""
    middle = body.apex + 0.47 * (body.dome["right"] - body.apex)
    return sign(side) * 3.7 + body.shift, middle - (0.9 if side == "left" else 0.0)


def _soft_tissue(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """Torso, shoulders, neck, arms and breasts."""
    x, y = np.abs(plate.x), plate.y - np.float32(body.apex)
    half = body.half_width + body.wall
    waist = half + 0.9 * np.tanh((y - 22) / 6) * body.wall / 3
    deep = body.depth * (0.55 + 0.45 * step(y - 7, 6))
    slope = np.float32(0.26) * np.sqrt(np.clip(x - 4.5, 0, None) ** 2 + 9) - 4.2
    above = np.sqrt(step(y - slope, 0.7))
    torso = deep * np.sqrt(np.clip(1 - (x / waist) ** 2, 0, None)) ** 0.9 * above
    shoulder = (7.5 + 2.5 * np.exp(-((x / 9) ** 2))) * above * step(10 + 0.6 * (x - half) - y, 1.8)
    neck = 11 * np.sqrt(np.clip(1 - (x / np.clip(6.2 - 0.15 * (y + 4), 5, 9)) ** 2, 0, None)) * step(3.5 - y, 2.0)
    tissue = np.maximum(np.maximum(torso, shoulder), neck)
    for arm in _arms(body, half):
        tissue = np.maximum(tissue, plate.limb(arm))
    tissue += _breasts(plate, body) + np.float32(0.25) * plate.noise(rng, 3.0, 3) * step(tissue - 2, 1)
    return np.asarray(tissue - _airways(plate, body) - _bowel(plate, body, rng) * step(tissue - 8, 1), np.float32)


def _arms(body: Body, half: float) -> Iterator[Path]:
    """Upper arms beside a torso whose half width is ``half``."""
    x, y = half + 3.4, body.apex
    for side in SIDES:
        line = np.array([[x - 1, y + 3.5], [x + 1.5, y + 10], [x + 6, y + 26]]) * [sign(side), 1]
        yield Path(line, np.array([4.2, 4.4, 4.0]))


def _breasts(plate: Plate, body: Body) -> Plane:
    """Two shadows with a crisp lower border, or a man's pectoral folds."""
    total = np.zeros(plate.size, np.float32)
    size = body.breast
    for side in SIDES:
        if size:
            centre = (sign(side) * body.half_width * 0.62, body.apex + 15.5 + 3.5 * size)
            within = plate.within(centre, (5.4 + 1.2 * size, 4.6 + 1.6 * size))
            total += (
                np.float32(1.9 + 2.2 * size)
                * np.sqrt(np.clip(1 - within, 0, None))
                * step(plate.y - centre[1] + 1.5, 3.0)
            )
        else:
            centre = (sign(side) * body.half_width * 0.72, body.apex + 11.0)
            total += plate.ellipsoid(centre, (5.2, 4.2), 1.1, sign(side) * -0.5)
    return total


def _airways(plate: Plate, body: Body) -> Plane:
    """The trachea and the main bronchi, in cm of air."""
    carina, middle = body.apex + 8.2, body.shift
    trachea = Path.of([[0, body.apex - 6], [0.15, body.apex + 2], [0.3 + middle, carina]], [0.85, 0.85, 0.9])
    courses = [(-1.9, 2.6), (-3.2, 4.2)], [(2.4, 2.3), (3.2, 4.2)]
    bronchi = [
        Path.of([(0.2 + middle, carina - 0.3), *((x + middle, carina + y) for x, y in course)], [0.75, 0.6, 0.3])
        for course in courses
    ]
    air: Plane = plate.limb(trachea)
    for bronchus in bronchi:
        air = np.maximum(air, np.float32(0.8) * plate.limb(bronchus))
    return air


def _bowel(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """The gastric bubble under the left dome, and gas in the colon below."""
    top = body.dome["left"]
    size = rng.uniform(0.5, 1.5)
    centre = (body.half_width * rng.uniform(0.38, 0.6), top + 1.5 + size)
    bubble = plate.ellipsoid(centre, (1.3 + size, 0.6 + 0.6 * size), 2.2 + size, rng.uniform(-0.2, 0.2))
    gas = np.clip(plate.noise(rng, 2.6, 2) - 0.9, 0, 1.2) * step(plate.y - top - 5.5, 1.2)
    return np.asarray(bubble + gas * np.float32(rng.uniform(0, 4)) * step(plate.x + 4, 3), np.float32)


def _mediastinum(plate: Plate, body: Body) -> Plane:
    """What displaces lung at the centre, in cm: the heart, the great vessels and the spine's surroundings."""
    a, s, k, old = body.apex, body.shift, body.heart, body.unfolding
    floor = max(body.dome.values()) - 0.8
    y = plate.y
    dx = plate.x - np.float32(s)
    half = np.float32(2.5) + 0.3 * np.tanh((y - a - 12) / 4)
    cover = 17 * np.sqrt(np.clip(1 - (dx / half) ** 2, 0, None))
    cover = cover * step(y - a + 2, 2)
    parts = [
        plate.ellipsoid((2.5 * k + s, floor - 3.4), (7.4 * k, 4.7 * k), 20, body.heart_tilt),
        plate.ellipsoid((-0.6 + s, floor - 4.2), (3.9 * k, 5.2 * k), 17),
        plate.ellipsoid((1.9 + s, floor - 8.2), (2.6, 3.9), 9, -0.15),
        plate.ellipsoid((1.6 + 0.7 * old + s, a + 7.6 - old), (2.1 + 0.5 * old, 2.0), 8),
        plate.ellipsoid((-1.4 + s, a + 8.5), (1.6 + 0.3 * old, 6.5), 6),
        plate.ellipsoid((0.9 + 0.9 * old + s, a + 14), (1.9, 10), 3.5),
        plate.ellipsoid((-3.0 + s, floor + 0.6), (1.6, 2.2), 3),
    ]
    for part in parts:
        cover = np.maximum(cover, part)
    return np.asarray(cover, np.float32)


def _lung(plate: Plate, body: Body, side: Side, mediastinum: Plane, rng: np.random.Generator) -> Lung:
    x = plate.x * np.float32(sign(side))
    edge = np.asarray(body.outer(plate.y) - x, np.float32)
    inner = np.asarray(x - body.inner(plate.y), np.float32)
    floor = np.asarray(body.diaphragm(x, side) - plate.y, np.float32)
    down = np.clip((plate.y - body.apex) / 14, 0, 1)
    deep = (body.depth - 4.5) * (0.42 + 0.58 * np.sin(down * np.pi / 2))
    across = np.clip(edge / (edge + x.clip(0.1)), 0, 1)
    room = deep * np.sqrt(across * (2 - across)) * np.sqrt(np.clip(inner / 2.2, 0, 1)) * (plate.y > body.apex)
    above = step(floor, 0.1) + 0.14 * step(-floor, 0.1) * np.exp(np.minimum(floor, 0) / 1.6)
    thickness = np.clip(room - mediastinum, 0, None) * above
    thickness = np.asarray(thickness, np.float32)
    texture = 1 + 0.13 * plate.noise(rng, 1.0, 4) + 0.16 * step(plate.y - body.apex - 12, 9)
    density = np.asarray(body.aeration * texture, np.float32)
    vessels = np.float32(2.6) * plate.tubes(vessel_tree(body, side, rng)) * step(thickness - 0.4, 0.8)
    return Lung(side, thickness, density, np.asarray(vessels, np.float32), edge, floor)


def vessel_tree(body: Body, side: Side, rng: np.random.Generator) -> Iterator[Path]:
    """Arteries and veins from the hilum outwards, each pair of branches thinner by Murray's law."""
    x, y = hilum(body, side)
    out = sign(side)
    stem = [(-1.3, 0.4), (-0.9, 0.36), (-0.4, 0.34), (0.1, 0.38), (0.5, 0.46), (0.9, 0.54), (1.2, 0.5)]
    for angle, radius in stem:
        heading = angle + rng.normal(0, 0.12)
        start = (x - out * 1.2 + rng.normal(0, 0.2), y + rng.normal(0, 0.5) + 0.7 * angle)
        yield from _branch(_Twig(start, heading, radius * rng.uniform(0.75, 1.0), 7), out, rng)
    artery = [[x - out * 0.7, y - 1.6], [x, y], [x + out * 0.35, y + 2.2], [x + out * 0.1, y + 4.6]]
    yield Path.of(artery, [0.2, 0.6, 0.5, 0.1])


@dataclass(frozen=True, slots=True)
class _Twig:
    """Where a branch begins, where it heads (radians), how thick it is and how many may follow it."""

    start: tuple[float, float]
    heading: float
    radius: float
    left: int


def _branch(twig: _Twig, out: float, rng: np.random.Generator) -> Iterator[Path]:
    radius = twig.radius
    length = 1.1 + 2.1 * radius + rng.exponential(0.9)
    angles = twig.heading + rng.normal(0, 0.16) * np.linspace(0, 1, 6)
    x = twig.start[0] + out * np.concatenate([[0], np.cumsum(np.cos(angles))]) * length / 6
    y = twig.start[1] + np.concatenate([[0], np.cumsum(np.sin(angles))]) * length / 6
    yield Path(np.stack([x, y], axis=1), np.linspace(radius, radius * 0.8, 7))
    if twig.left == 0 or radius < 0.04:
        return
    share = rng.uniform(0.35, 0.65)
    spread = rng.uniform(0.3, 0.75)
    for part, turn in ((share, spread * (1 - share) * 1.3), (1 - share, -spread * share * 1.3)):
        thinner = 0.82 * radius * part ** (1 / 2.6)
        yield from _branch(_Twig((x[-1], y[-1]), angles[-1] + turn, thinner, twig.left - 1), out, rng)
