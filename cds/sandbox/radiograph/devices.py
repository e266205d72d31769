"""What lies on a patient who is watched at the bedside. The seed alone decides, never the findings."""

from __future__ import annotations

import numpy as np

from cds.sandbox.radiograph.body import Body
from cds.sandbox.radiograph.plate import Path, Plane, Plate

METAL_AS_WATER = 22.0


def monitoring(plate: Plate, body: Body, rng: np.random.Generator) -> Plane:
    """ECG electrodes and their leads, in cm of water; on half of the films taken from the front, else nothing."""
    wears = body.view == "AP" and rng.random() < 0.5
    worn = np.zeros(plate.size, np.float32)
    if not wears:
        return worn
    leads = []
    for x, y in ((-8.5, body.apex + 5), (8.5, body.apex + 5), (9.5, body.apex + 19))[: int(rng.integers(2, 4))]:
        at = (x + rng.normal(0, 1.2), y + rng.normal(0, 1.5))
        worn += plate.ellipsoid(at, (0.75, 0.75), 0.8) + plate.ellipsoid(at, (0.28, 0.28), 7.0)
        leads.append(_lead(at, rng))
    return np.asarray(worn + METAL_AS_WATER * plate.tubes(leads), np.float32)


def _lead(start: tuple[float, float], rng: np.random.Generator) -> Path:
    """A thin wire that wanders from its electrode off the film."""
    end = (start[0] * 0.4 + rng.normal(0, 5), 40.0 if rng.random() < 0.6 else -4.0)
    along = np.linspace(0, 1, 60)
    sway = rng.normal(0, 2.5) * np.sin(np.pi * along) + rng.normal(0, 0.8) * np.sin(3 * np.pi * along)
    x = start[0] + (end[0] - start[0]) * along + sway
    return Path.of(np.stack([x, start[1] + (end[1] - start[1]) * along], axis=1), 0.055)
