"""Who stands before the detector: the measures of one chest, drawn from a seed. All lengths in cm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from cds.sandbox.radiograph.plate import Plane

Side = Literal["right", "left"]
View = Literal["PA", "AP"]
Sex = Literal["F", "M"]
SIDES: tuple[Side, Side] = ("right", "left")


def sign(side: Side) -> float:
    """The direction of x towards ``side``: a film shows the patient's right on the viewer's left."""
    return -1.0 if side == "right" else 1.0


@dataclass(frozen=True, slots=True)
class Body:
    """One chest's measures."""

    view: View
    sex: Sex
    half_width: float
    """From the midline to the inner wall of the rib cage at its widest."""
    apex: float
    """The height (y) of the lungs' apices."""
    dome: dict[Side, float]
    """The height of each hemidiaphragm's dome."""
    doming: float
    """How far the costophrenic angles lie below the dome."""
    depth: float
    """From front to back."""
    wall: float
    """Soft tissue outside the ribs."""
    heart: float
    """The heart's size; 1 is a cardiothoracic ratio of about 0.45."""
    heart_tilt: float
    breast: float
    shift: float
    """The mediastinum's displacement towards the patient's left."""
    lordosis: float
    """How far the clavicles lie above their usual place."""
    rib_drop: float
    unfolding: float
    """Of the aorta, with age: 0 to 1."""
    aeration: float
    """The lungs' density: the share of them that is not air."""

    @classmethod
    def draw(cls, rng: np.random.Generator, sex: Sex, view: View) -> Self:
        """An ordinary adult; a film taken from the front (AP) shows a supine, less inflated chest."""
        supine = view == "AP"
        half_width = float(np.clip(rng.normal(14.0 if sex == "M" else 12.8, 0.7), 11, 16))
        dome = rng.normal(26.0, 1.1) - (2.2 if supine else 0)
        return cls(
            view=view,
            sex=sex,
            half_width=half_width,
            apex=rng.normal(4.4, 0.5),
            dome={"right": dome, "left": dome + rng.uniform(0.4, 1.6)},
            doming=rng.uniform(3.6, 5.2),
            depth=rng.normal(21, 1.6),
            wall=float(np.clip(rng.gamma(4, 0.75), 1.4, 6)),
            heart=rng.normal(1.0, 0.05) * (1.1 if supine else 1.0) * half_width / 14,
            heart_tilt=rng.uniform(0.45, 0.8) - (0.15 if supine else 0),
            breast=float(rng.uniform(0.4, 1.4)) if sex == "F" else 0.0,
            shift=rng.normal(0, 0.25),
            lordosis=rng.normal(0, 0.5) + (0.9 if supine else 0),
            rib_drop=rng.normal(1.0, 0.08),
            unfolding=rng.beta(1.3, 1.8),
            aeration=rng.uniform(0.2, 0.3),
        )

    @property
    def base(self) -> float:
        """The height of the costophrenic angles."""
        return max(self.dome.values()) + self.doming

    def outer(self, y: Plane) -> Plane:
        """The distance of the rib cage's inner wall from the midline at height ``y``."""
        down = np.clip((y - self.apex) / (self.base - self.apex) / 0.85, 0, 1)
        wall: Plane = 5.0 + (self.half_width - 5.0) * (1 - (1 - down) ** 2.4) ** 0.62
        return wall

    def inner(self, y: Plane) -> Plane:
        """The distance of the lung's inner edge from the midline, were there no mediastinum."""
        down = np.clip((y - self.apex) / 3.0, 0, 1)
        edge: Plane = 5.0 - 3.6 * np.sqrt(down)
        return edge

    def diaphragm(self, x: Plane, side: Side) -> Plane:
        """The height of the hemidiaphragm at ``x``, which counts outwards from the midline."""
        middle = self.half_width * 0.47
        away = (x - middle) / (self.half_width - middle)
        fall = np.where(away > 0, np.abs(away) ** 2.6, 0.42 * np.abs(away) ** 2.0)
        height: Plane = self.dome[side] + self.doming * fall
        return height
