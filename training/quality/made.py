"""Pictures that are wrong in a known way, made of films that are right; each before it is framed anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cds.imaging.framing import framed

Picture = NDArray[np.float32]
Random = np.random.Generator
Make = Callable[[Picture, Random], Picture]

SIDE = 224
UPRIGHT = 10.0
"""Degrees that a film may be tilted and still count as upright."""
SATURATED = (0.4, 0.75)
"""The share of a badly exposed film that is all black or all white."""


def plain(film: Picture, random: Random) -> Picture:
    """As films differ: a little tilted, cut, blurred, grainy, in another tone, with bars beside it."""
    tilted = _rotated(film, random.uniform(-UPRIGHT, UPRIGHT))
    top, bottom, left, right = (int(random.uniform(0, 0.08) * SIDE) for _ in range(4))
    tone = np.clip(tilted[top : SIDE - bottom, left : SIDE - right], 0, 1) ** random.uniform(0.7, 1.4)
    grainy = tone + random.normal(0, random.uniform(0, 0.03), tone.shape)
    soft = _resized(grainy, int(random.uniform(110, SIDE)))
    asked = {"height": SIDE, "width": SIDE, "fit": random.choice(["fill", "fill", "fill", "pad"])}
    high = int(SIDE * random.uniform(0.8, 1.25))
    return framed(_resized(np.clip(soft, 0, 1), SIDE, high), asked)


def turned(film: Picture, random: Random) -> Picture:
    """By a quarter, by half, or by an angle that nobody would call upright."""
    quarters, angle = int(random.integers(1, 4)), random.choice([-1, 1]) * random.uniform(25, 60)
    if random.random() < 0.75:
        return np.ascontiguousarray(np.rot90(plain(film, random), quarters))
    return framed(_rotated(plain(film, random), angle), {"height": SIDE, "width": SIDE})


def badly_exposed(film: Picture, random: Random) -> Picture:
    """Burnt out or all but black: the plate was saturated, and no window brings it back."""
    picture, share = plain(film, random), random.uniform(*SATURATED)
    if random.random() < 0.5:
        clipped = np.minimum(picture, np.quantile(picture, 1 - share))
    else:
        clipped = np.maximum(picture, np.quantile(picture, share))
    grainy = clipped + random.normal(0, 0.004, clipped.shape)
    return framed(grainy.astype(np.float32), {"height": SIDE, "width": SIDE})


def photographed(film: Picture, random: Random) -> Picture:
    """From a screen or a light box: seen aslant, with what is around it, glare, stripes and the camera's noise."""
    canvas = np.full((SIDE, SIDE), random.choice([random.uniform(0, 0.3), random.uniform(0.7, 1.0)]), np.float32)
    corners = _corners(random)
    seen = _aslant(plain(film, random), corners)
    canvas = np.where(seen >= 0, seen, canvas + random.normal(0, 0.02, canvas.shape))
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    at, wide = random.uniform(0.1, 0.9, 2), random.uniform(0.08, 0.25)
    glare = random.uniform(0.2, 0.8) * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * wide**2))
    angle, pace = random.uniform(0, np.pi), random.uniform(20, 90)
    stripes = random.uniform(0, 0.08) * np.sin(2 * np.pi * pace * (x * np.cos(angle) + y * np.sin(angle)))
    dark = 1 - random.uniform(0, 0.6) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    picture = (canvas + glare + stripes) * dark + random.normal(0, 0.015, canvas.shape)
    return framed(np.clip(picture, 0, 1).astype(np.float32), {"height": SIDE, "width": SIDE})


def inverted(film: Picture, random: Random) -> Picture:
    """Dense tissue black, as a file has it that misstates its photometric interpretation."""
    return 1 - plain(film, random)


WRONG: Mapping[str, Make] = {
    "turned": turned,
    "exposure": badly_exposed,
    "inverted": inverted,
    "photographed": photographed,
}
"""By kind of :data:`cds.engine.quality.WORDS`; of lateral views there are films of their own."""


def _rotated(film: Picture, angle: float) -> Picture:
    return np.asarray(Image.fromarray(film).rotate(angle, Image.Resampling.BILINEAR), np.float32)


def _resized(film: NDArray[np.floating], wide: int, high: int | None = None) -> Picture:
    image = Image.fromarray(film.astype(np.float32))
    return np.asarray(image.resize((wide, high or wide), Image.Resampling.BILINEAR), np.float32)


def _corners(random: Random) -> NDArray[np.float64]:
    """Of the film within the photograph: (4, 2), from top left against the clock, in pixels."""
    square = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float)
    inset = np.abs(square - random.uniform(0.02, 0.2, (4, 2)))
    return inset * SIDE


def _aslant(film: Picture, corners: NDArray[np.float64]) -> Picture:
    """The film between those corners, -1 around it."""
    source = np.array([[0, 0], [0, SIDE], [SIDE, SIDE], [SIDE, 0]], float)
    rows, ends = [], []
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        ends += [u, v]
    coefficients = np.linalg.solve(np.array(rows), np.array(ends))
    image = Image.fromarray(film)
    return np.asarray(
        image.transform(
            (SIDE, SIDE),
            Image.Transform.PERSPECTIVE,
            tuple(coefficients),
            Image.Resampling.BILINEAR,
            fillcolor=-1.0,
        ),
        np.float32,
    )
