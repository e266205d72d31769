"""What disease does to a chest: first to its measures, then to its layers. Severity runs from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from cds.sandbox.radiograph.body import SIDES, Body, Side, sign
from cds.sandbox.radiograph.chest import Chest, Lung
from cds.sandbox.radiograph.plate import Path, Plane, step

Rng = np.random.Generator
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One disease, how much of it there is, and where."""

    key: str
    severity: float
    side: Side

    @classmethod
    def of(cls, key: str, severity: float, side: Side | None, rng: Rng) -> Self:
        """Raise :class:`ValueError` for what cannot be drawn; the seed picks a side where none is given."""
        if key not in PAINTERS:
            raise ValueError(
                f"{key!r} is not a finding that can be drawn; choose from {', '.join(sorted(PAINTERS))}"
            )
        if not 0 <= severity <= 1:
            raise ValueError(f"the severity of {key} must lie between 0 and 1")
        drawn = SIDES[int(rng.integers(2))]
        return cls(key, severity, side or drawn)


def remodel(body: Body, findings: Iterable[Finding]) -> Body:
    """The body whose measures the findings have changed: volumes, shifts, the heart's size."""
    for finding in findings:
        much, out = finding.severity, sign(finding.side)
        dome = dict(body.dome)
        match finding.key:
            case "cardiomegaly":
                body = replace(body, heart=body.heart * (1.18 + 0.22 * much))
            case "edema":
                body = replace(body, heart=body.heart * (1.04 + 0.08 * much))
            case "emphysema":
                flat = {side: y + 1.0 + 1.8 * much for side, y in dome.items()}
                body = replace(
                    body,
                    dome=flat,
                    doming=body.doming * (0.75 - 0.5 * much),
                    heart=body.heart * (0.94 - 0.16 * much),
                    aeration=body.aeration * (0.85 - 0.35 * much),
                    half_width=body.half_width * (1 + 0.04 * much),
                )
            case "atelectasis":
                dome[finding.side] -= 0.8 + 2.2 * much
                body = replace(body, dome=dome, shift=body.shift + out * 1.3 * much)
            case "fibrosis":
                body = replace(body, dome={side: y - 1.6 * much for side, y in dome.items()})
            case "pneumothorax" if much > 0.6:
                dome[finding.side] += 4.0 * (much - 0.6)
                body = replace(body, dome=dome, shift=body.shift - out * 5.5 * (much - 0.6))
            case "effusion" if much > 0.75:
                body = replace(body, shift=body.shift - out * 4.0 * (much - 0.75))
    return body


def apply(chest: Chest, findings: Sequence[Finding], rng: Rng) -> None:
    """Paint each finding on the chest; collapse comes last, for it moves what the others have done."""
    for finding in sorted(findings, key=lambda f: f.key == "pneumothorax"):
        PAINTERS[finding.key](chest, chest.lungs[finding.side], finding.severity, rng.spawn(1)[0])


def _fill(lung: Lung, share: Plane) -> None:
    """Replace the air by fluid or cells where ``share`` (0 to 1) says so."""
    lung.density = np.asarray(lung.density + (1 - lung.density) * np.clip(share, 0, 1), np.float32)


def _place(
    chest: Chest, lung: Lung, out: tuple[float, float], down: tuple[float, float], rng: Rng
) -> tuple[float, float]:
    """A point inside the lung: ``out`` and ``down`` bound how far to the wall and to the diaphragm."""
    body = chest.body
    y = body.apex + rng.uniform(*down) * (body.dome[lung.side] - body.apex)
    wall = float(body.outer(np.array(y)))
    return sign(lung.side) * (2.5 + rng.uniform(*out) * (wall - 2.5)), y


def _patch(chest: Chest, centre: Point, radii: Point, rng: Rng, ragged: float = 0.5) -> Plane:
    """A cloud about ``centre``, 1 in its middle, with an uneven border."""
    plate = chest.plate
    away = plate.within(centre, radii, rng.uniform(-0.5, 0.5))
    uneven = np.float32(ragged) * plate.noise(rng, 2.2, 4)
    return step(np.asarray(1 - np.sqrt(away) + uneven * 0.45, np.float32), 0.3)


def _bronchograms(chest: Chest, centre: Point, reach: float, rng: Rng) -> Plane:
    """Air-filled bronchi that show as dark branches where the lung around them is filled."""
    hilum = chest.hilum("left" if centre[0] > 0 else "right")
    start = np.array(hilum) * 0.35 + np.array(centre) * 0.65
    heading = float(np.arctan2(centre[1] - hilum[1], centre[0] - hilum[0]))
    paths = []
    for _ in range(int(rng.integers(4, 8))):
        angle = heading + rng.normal(0, 0.55) + np.linspace(0, rng.normal(0, 0.35), 7)
        length = reach * rng.uniform(0.6, 1.2)
        steps = np.stack([np.cos(angle), np.sin(angle)], axis=1) * length / 7
        paths.append(Path.of(start + np.cumsum(steps, axis=0), np.linspace(0.24, 0.1, 7)))
    return chest.plate.tubes(paths)


def consolidation(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """A lobe filled: dense, with air bronchograms, ending at a fissure or at the diaphragm."""
    upper = rng.random() < 0.4
    centre = _place(chest, lung, (0.35, 0.65), (0.22, 0.36) if upper else (0.62, 0.85), rng)
    radii = (3.2 + 2.6 * much, 3.0 + 2.8 * much)
    cloud = _patch(chest, centre, radii, rng, 0.35)
    fissure = chest.plate.y - np.float32(centre[1] + (1.8 if upper else -2.6)) + 0.12 * np.abs(chest.plate.x)
    cloud = cloud * step(-fissure if upper else fissure, 0.12 if upper else 1.2)
    _fill(lung, cloud * np.float32(0.5 + 0.4 * much))
    chest.extra -= (
        np.float32(0.8) * _bronchograms(chest, centre, radii[0], rng) * cloud * step(lung.thickness - 1, 0.5)
    )


def pneumonia(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Patchy opacities that flow together, more in one zone, with soft borders."""
    centre = _place(chest, lung, (0.35, 0.7), (0.5, 0.85), rng)
    radii = (2.6 + 3.0 * much, 2.4 + 2.8 * much)
    core = chest.plate.blur(_patch(chest, centre, radii, rng, 0.8), 0.35)
    mottle = np.clip(0.8 + 0.16 * chest.plate.noise(rng, 1.6, 3), 0.3, 1.1)
    _fill(lung, core * mottle * np.float32(0.34 + 0.38 * much))
    for _ in range(int(rng.integers(2, 4 + round(3 * much)))):
        near = (centre[0] + rng.normal(0, 2.4), centre[1] + rng.normal(0, 2.6))
        size = rng.uniform(0.8, 1.8)
        _fill(lung, _patch(chest, near, (size, size), rng, 0.8) * np.float32(0.2 + 0.2 * much))
    chest.extra -= (
        np.float32(0.5) * _bronchograms(chest, centre, radii[0], rng) * core * step(lung.thickness - 1, 0.5)
    )


def infiltration(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Ill-defined haze and streaks, often on both sides."""
    for each in chest.lungs.values():
        share = 1.0 if each is lung else rng.choice([0.0, 0.7])
        centre = _place(chest, each, (0.25, 0.6), (0.45, 0.85), rng)
        zone = np.exp(-chest.plate.within(centre, (4.5 + 3 * much, 5 + 3 * much)))
        mottle = np.clip(0.6 + 0.28 * chest.plate.noise(rng, 1.6, 4), 0, 1.3)
        _fill(each, zone * mottle * np.float32(share * (0.24 + 0.32 * much)))


def effusion(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Fluid that blunts the angle, hides the diaphragm and climbs the wall in a meniscus."""
    body = chest.body
    angle = body.dome[lung.side] + body.doming
    level = angle - 1.6 - much * (0.62 * (angle - body.apex) - 1.0)
    rise = (1.6 + 3.2 * much) * np.exp(-np.clip(lung.edge, 0, None) / (1.1 + 2.2 * much))
    rise = rise + 0.6 * np.exp(-((lung.edge - 2 * body.half_width * 0.5) ** 2) / 4)
    depth = chest.plate.y - np.float32(level) + rise + 0.12 * chest.plate.noise(rng, 3, 2)
    fluid = step(depth, 0.35 + 0.25 * much) * (0.9 + 0.1 * step(depth - 1.5, 1.5))
    haze = 0.3 * step(depth + 2.5, 2.0)
    _fill(lung, np.maximum(fluid, haze * np.float32(0.4 + 0.6 * much)))


def pneumothorax(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Air outside the lung: a fine pleural line with no markings beyond it, and a denser, smaller lung."""
    plate, body = chest.plate, chest.body
    gap = 0.9 + 5.6 * much
    down = np.clip((plate.y - body.apex) / (body.base - body.apex), 0, 1)
    wavy = 0.15 * plate.noise(rng, 5, 1)
    from_wall = lung.edge - np.float32(gap) * (1.0 - (0.8 - 0.5 * much) * down) + wavy
    from_top = plate.y - np.float32(body.apex + 0.5 + 0.9 * gap)
    from_floor = lung.floor + np.float32(12 * (0.6 - much))
    inside = _rounded(_rounded(from_wall, from_top, 1.0 + gap * 0.6), from_floor, 1.0 + gap * 0.4)
    within = step(inside, 0.06)
    present = step(lung.thickness - 0.5, 0.3)
    collapsed = plate.blur(lung.density, 0.5) * np.float32(1 + 0.8 * much)
    lung.density = np.asarray(within * collapsed + (1 - within) * 0.03, np.float32)
    lung.vessels = lung.vessels * within
    line = np.exp(-((inside / 0.075) ** 2)) * present * step(plate.y - body.apex - 0.5, 0.3)
    chest.extra += np.float32(1.15) * line


def _rounded(one: Plane, other: Plane, radius: float) -> Plane:
    """The smaller of two distances, the corner between them rounded off."""
    blend = np.clip(0.5 + 0.5 * (other - one) / np.float32(radius), 0, 1)
    return np.asarray(other + (one - other) * blend - np.float32(radius) * blend * (1 - blend), np.float32)


def cardiomegaly(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Nothing but the heart's size (see :func:`remodel`) and slightly fuller vessels."""
    for each in chest.lungs.values():
        each.vessels = each.vessels * np.float32(1 + 0.25 * much)


def edema(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Perihilar haze like a bat's wings, full upper vessels, septal lines at the bases."""
    plate = chest.plate
    for side, each in chest.lungs.items():
        x, y = chest.hilum(side)
        wing = np.exp(
            -(plate.within((x + sign(side) * 1.6, y + 2.2), (5.2 + 1.6 * much, 6.6 + 1.6 * much)) ** 1.3)
        )
        mottle = np.clip(0.8 + 0.15 * plate.noise(rng, 1.8, 4), 0.3, 1.3)
        upper = 1 + np.float32(0.9 * much) * step(np.float32(y) - plate.y, 2)
        each.vessels = (
            np.asarray(0.5 * each.vessels + 0.5 * plate.blur(each.vessels, 0.12), np.float32) * upper * 1.2
        )
        _fill(each, wing * mottle * np.float32(0.25 + 0.45 * much) + np.float32(0.1 * much))
        chest.extra += np.float32(0.4 + 0.3 * much) * plate.tubes(_septal_lines(chest, each, rng)) / 0.06 * 0.14


def _septal_lines(chest: Chest, lung: Lung, rng: Rng) -> list[Path]:
    """Kerley's B lines: short, horizontal, at the lateral bases."""
    lines = []
    for _ in range(int(rng.integers(6, 12))):
        y = chest.body.dome[lung.side] - rng.uniform(-2.0, 5.5)
        wall = float(chest.body.outer(np.array(y))) - 0.15
        inner = wall - rng.uniform(1.0, 2.0)
        lines.append(
            Path.of(
                [[sign(lung.side) * wall, y], [sign(lung.side) * inner, y + rng.normal(0, 0.15)]], [0.06, 0.05]
            )
        )
    return lines


def atelectasis(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Plates of collapsed lung above a raised diaphragm, and a denser base."""
    body, out = chest.body, sign(lung.side)
    for _ in range(int(rng.integers(1, 3 + round(2 * much)))):
        y = body.dome[lung.side] - rng.uniform(0.6, 5.5)
        start, length, slope = rng.uniform(3.5, 6.5), rng.uniform(3.0, 6.0), rng.normal(-0.05, 0.2)
        along = np.linspace(0, 1, 12)
        bow = 0.3 * rng.normal() * np.sin(np.pi * along)
        points = np.stack([out * (start + length * along), y + slope * length * along + bow], axis=1)
        thick = (0.12 + 0.16 * much) * np.sin(np.pi * np.clip(along, 0.08, 0.92)) ** 0.5
        plate_like = chest.plate.tubes([Path.of(points, thick)])
        chest.extra += np.float32(3.2 + 2.6 * much) * plate_like * step(lung.thickness - 0.8, 0.5)
    base = step(2.2 + 1.5 * np.float32(much) - lung.floor + 0.7 * chest.plate.noise(rng, 2, 3), 1.4)
    _fill(lung, base * np.float32(0.16 + 0.34 * much))


def nodule(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """One round shadow of 0.8 to 3 cm."""
    centre = _place(chest, lung, (0.4, 0.85), (0.15, 0.85), rng)
    _grow(chest, lung, np.float32(1.5) * _lump(chest, 0.5 + 0.9 * much, centre, rng))


def mass(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """A lobulated shadow of more than 3 cm."""
    size = 1.7 + 2.2 * much
    x, y = _place(chest, lung, (0.3, 0.7), (0.2, 0.75), rng)
    growth = _lump(chest, size, (x, y), rng)
    for _ in range(3):
        turn = rng.uniform(0, 2 * np.pi)
        lobe = (x + 0.65 * size * np.cos(turn), y + 0.65 * size * np.sin(turn))
        growth = np.maximum(growth, _lump(chest, size * 0.6, lobe, rng))
    _grow(chest, lung, growth)


def _lump(chest: Chest, radius: float, centre: Point, rng: Rng) -> Plane:
    """The thickness of a ball whose rim is a little uneven."""
    away = chest.plate.within(centre, (radius, radius * rng.uniform(0.85, 1.1)), rng.uniform(0, 3))
    away = away * (1 + 0.12 * chest.plate.noise(rng, radius * 0.8, 2))
    return np.float32(2 * radius) * np.sqrt(np.clip(1 - away, 0, None))


def _grow(chest: Chest, lung: Lung, growth: Plane) -> None:
    """Solid tissue in the place of lung."""
    chest.extra += np.minimum(growth, lung.thickness) * (1 - lung.density)


def emphysema(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Sparse vessels and bullae in an overfilled chest (see :func:`remodel`)."""
    for each in chest.lungs.values():
        outward = step(each.edge - 4, 2.5)
        each.vessels = each.vessels * (outward + (1 - outward) * np.float32(0.75 - 0.45 * much))
        for _ in range(int(rng.integers(1, 3 + round(3 * much)))):
            centre = _place(chest, each, (0.35, 0.8), (0.08, 0.5), rng)
            radius = rng.uniform(1.2, 1.8 + 2 * much)
            hole = step(np.asarray(1 - chest.plate.within(centre, (radius, radius)), np.float32), 0.2)
            each.density = each.density * (1 - 0.5 * hole)
            each.vessels = each.vessels * (1 - 0.8 * hole)


def pleural_thickening(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """A band of tissue along the wall, and a cap over the apex."""
    plate, body = chest.plate, chest.body
    band = np.float32(0.25 + 0.5 * much) * (1 + 0.45 * plate.noise(rng, 2.5, 2))
    along = step(plate.y - np.float32(body.apex + rng.uniform(3, 9)), 2)
    wall = step(band - lung.edge, 0.1) * along
    cap = step(np.float32(body.apex + 0.8 + 1.6 * much) + 0.4 * plate.noise(rng, 1.5, 2) - plate.y, 0.2)
    _fill(lung, np.maximum(wall, cap) * np.float32(0.8))
    chest.extra += np.float32(0.6 + 0.8 * much) * wall * step(lung.edge, 0.08) * step(lung.floor + 1.5, 0.5)


def fibrosis(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """A coarse net of lines and small rings in small lungs, densest at the edges and bases."""
    plate, body = chest.plate, chest.body
    lower = step(plate.y - np.float32(body.apex + 11), 5)
    for each in chest.lungs.values():
        outer = np.exp(-np.clip(each.edge, 0, None) / 3.5)
        where = (
            np.clip(0.25 + 0.55 * lower + 0.5 * outer, 0, 1)
            * step(each.thickness - 0.5, 0.4)
            * step(each.floor, 0.1)
        )
        net = sum(np.exp(-((plate.noise(rng, scale, 1) / 0.2) ** 2)) for scale in (0.75, 0.5))
        chest.extra += np.asarray(where * net, np.float32) * np.float32(0.45 + 0.85 * much)
        _fill(each, where * np.float32(0.06 + 0.16 * much))


def hernia(chest: Chest, lung: Lung, much: float, rng: Rng) -> None:
    """Stomach behind the heart: a round shadow with a level of fluid under its gas."""
    centre = (rng.uniform(0.5, 2.0), chest.body.dome["left"] - 2.2 - much)
    radius = 2.6 + 2.2 * much
    sac = chest.plate.ellipsoid(centre, (radius, radius * 0.85), 5.0)
    level = np.float32(centre[1] - 0.1 * radius)
    gas = chest.plate.ellipsoid(centre, (radius * 0.85, radius * 0.7), 4.5) * step(level - chest.plate.y, 0.06)
    chest.extra += np.float32(0.7) * sac - gas


PAINTERS: dict[str, Callable[[Chest, Lung, float, Rng], None]] = {
    painter.__name__: painter
    for painter in (
        atelectasis,
        cardiomegaly,
        consolidation,
        edema,
        effusion,
        emphysema,
        fibrosis,
        hernia,
        infiltration,
        mass,
        nodule,
        pleural_thickening,
        pneumonia,
        pneumothorax,
    )
}
"""How each finding is drawn, by the keys of ``cds.findings.FINDINGS``."""
