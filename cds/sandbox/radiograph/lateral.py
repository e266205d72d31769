"""A left lateral chest radiograph, without findings: enough to be told from a frontal one.

The patient faces the viewer's left: here x runs from front to back, from the middle of the chest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cds.sandbox.radiograph.body import Body, Sex
from cds.sandbox.radiograph.film import Exposure, expose, letter
from cds.sandbox.radiograph.plate import Path, Plane, Plate, cortical, step


def render_lateral(seed: int, *, size: tuple[int, int] = (1024, 1024), sex: Sex = "F") -> NDArray[np.uint16]:
    """The lateral film of the patient whom ``render`` shows from the front under the same seed; 12 bits."""
    anatomy, _, _, exposure, grain = np.random.default_rng(seed).spawn(5)
    body = Body.draw(anatomy, sex, "PA")
    plate = Plate(size, turn=anatomy.normal(0, 0.015))
    water = _soft_tissue(plate, body) - _lungs(plate, body, anatomy) + 3.1 * _skeleton(plate, body)
    tone = expose(plate, np.maximum(water, 0), Exposure.draw(exposure, portable=False), grain)
    return letter(tone, grain, "LL")


def _spine(body: Body, y: Plane) -> Plane:
    """How far back the front of the spine lies at height ``y``: a kyphotic curve."""
    back: Plane = body.depth * 0.29 + 1.6 * np.sin((y - body.apex - 2) / 26 * np.pi)
    return back


def _soft_tissue(plate: Plate, body: Body) -> Plane:
    """Trunk, with the arms raised out of the field, and the breast in front."""
    y = plate.y - np.float32(body.apex)
    front = -body.depth * 0.5 - body.wall * 0.5 + 3.5 * step(6 - y, 4)
    back = _spine(body, plate.y) + 5.2 + body.wall * 0.5
    middle, half = (front + back) / 2, (back - front) / 2
    trunk = 27 * np.sqrt(np.clip(1 - ((plate.x - middle) / half) ** 2, 0, None)) ** 0.9
    shoulder = 4 * step(5 - y, 3) * np.exp(-(((plate.x - middle) / 6) ** 2))
    breast = plate.ellipsoid((float(-body.depth * 0.52), body.apex + 18), (3.2, 5.0), 5 * body.breast)
    return np.asarray(trunk * (0.75 + 0.25 * step(y - 8, 5)) + shoulder + breast, np.float32)


def _lungs(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """The air of both lungs along the ray, around the heart and above the two domes."""
    y = plate.y - np.float32(body.apex)
    front = -body.depth * 0.5 + 1.1 + 4.5 * np.exp(-np.clip(y, 0, None) / 4.5)
    back = _spine(body, plate.y) + 3.6 - 2.2 * np.exp(-np.clip(y, 0, None) / 3)
    middle, half = (front + back) / 2, (back - front) / 2
    room = 20 * np.sqrt(np.clip(1 - ((plate.x - middle) / half) ** 2, 0, None)) * np.sqrt(np.clip(y / 5, 0, 1))
    air = np.zeros(plate.size, np.float32)
    for dome in body.dome.values():
        fall = np.clip((plate.x + 2) / body.depth / 0.55, -1, 1.4)
        floor = dome - 1 + np.where(fall > 0, 6.0 * fall**2, 1.4 * fall**2)
        air += np.asarray(0.5 * room * step(floor - plate.y, 0.1), np.float32)
    floor = max(body.dome.values())
    heart = plate.ellipsoid((-body.depth * 0.2, floor - 4.5), (4.6 * body.heart, 6.2 * body.heart), 10, 0.55)
    arch = plate.ellipsoid((1.0, body.apex + 9.5), (3.0, 2.6), 5)
    hila = plate.ellipsoid((1.2, body.apex + 13), (1.6, 1.9), 4)
    behind = step(plate.x - _spine(body, plate.y), 0.3) * 7
    filled = np.minimum(np.maximum(np.maximum(heart, arch), np.maximum(hila, behind)), air)
    texture = 1 + 0.03 * plate.noise(rng, 1.0, 4)
    carina = body.apex + 12
    windpipe = plate.limb(Path.of([[0.2, body.apex - 5], [1.2, carina]], [0.8, 0.8]))
    return np.asarray(
        (air - filled) * (1 - body.aeration) * texture + 0.9 * windpipe * step(filled + 1 - air, 1), np.float32
    )


def _skeleton(plate: Plate, body: Body) -> Plane:
    """Vertebrae behind, the sternum in front, and ribs that slope down from one to the other."""
    bone = np.zeros(plate.size, np.float32)
    across = plate.x - _spine(body, plate.y) - 1.5
    height = body.apex - 4.0
    for number in range(20):
        high = 1.6 + 0.06 * number
        y = plate.y - np.float32(height + high / 2)
        slab = step(1.35 + 0.03 * number - np.abs(across), 0.1) * step(
            np.float32(high / 2 - 0.1) - np.abs(y), 0.09
        )
        bone += np.float32(0.75) * slab
        height += high + 0.45
    sternum = [
        [-body.depth * 0.33, body.apex + 3],
        [-body.depth * 0.46, body.apex + 9],
        [-body.depth * 0.49, body.apex + 17],
    ]
    bone += 0.5 * plate.limb(Path.of(sternum, [0.5, 0.5, 0.45]))
    return np.asarray(bone + plate.tubes(_ribs(body), cortical), np.float32)


def _ribs(body: Body) -> list[Path]:
    """Both sides' ribs, a little apart, for one side is farther from the detector."""
    along = np.linspace(0, 1, 40)
    paths = []
    for number in range(2, 9):
        for aside in (0.0, 0.7):
            top = body.apex + 0.5 + 2.25 * number + aside
            x = body.depth * (0.43 - 0.84 * along) + aside
            y = top + 6.5 * along**1.3 + 1.2 * np.sin(np.pi * along)
            paths.append(Path.of(np.stack([x, y], axis=1), 0.48))
    return paths
