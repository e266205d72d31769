"""The detector: a plane in centimetres on which shapes are projected as thicknesses.

The origin is the midline at the top of the film; x grows towards the patient's left, the viewer's right, and y
downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Plane = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Places = NDArray[np.int64]
Point = tuple[float, float]
Section = Callable[[Doubles], Doubles]

FIELD_CM = 36.0
"""The height of the irradiated field, whatever the number of rows."""


@dataclass(frozen=True, slots=True)
class Path:
    """A tube's centre line: ``points`` (n, 2) as (x, y) and ``radius`` (n,), all in cm."""

    points: Doubles
    radius: Doubles

    @classmethod
    def of(cls, points: ArrayLike, radius: ArrayLike) -> Path:
        line = np.asarray(points, dtype=np.float64)
        return cls(line, np.broadcast_to(np.asarray(radius, dtype=np.float64), len(line)))


def solid(across: Doubles) -> Doubles:
    """The chord of a solid round tube of radius 1, at -1..1 across."""
    return 2 * np.sqrt(np.clip(1 - across**2, 0, None))


def cortical(across: Doubles) -> Doubles:
    """The chord of a flat bone: a dense shell around a marrow that is a third as dense."""
    return 0.75 * (solid(across) - 0.82 * 0.84 * solid(across / 0.84))


class Plate:
    """A detector of ``size`` (rows, columns); ``turn`` (radians) and ``shift`` (cm) are the patient's."""

    def __init__(
        self,
        size: tuple[int, int],
        turn: float = 0.0,
        shift: Point = (0.0, 0.0),
        magnify: float = 1.0,
    ) -> None:
        self.size = size
        self.per_cm = size[0] / FIELD_CM * magnify
        self._turn = turn
        self._centre = (size[1] / 2 + shift[0] * self.per_cm, size[0] / 2 + shift[1] * self.per_cm)
        rows, columns = np.indices(size, dtype=np.float32)
        x = (columns - np.float32(self._centre[0])) / np.float32(self.per_cm)
        y = (rows - np.float32(self._centre[1])) / np.float32(self.per_cm)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        self.x: Plane = cos * x + sin * y
        self.y: Plane = cos * y - sin * x + np.float32(FIELD_CM / 2)

    def pixels(self, x: Doubles, y: Doubles) -> tuple[Places, Places]:
        """The (row, column) that each point falls on; it may lie off the plate."""
        y = y - FIELD_CM / 2
        cos, sin = np.cos(self._turn), np.sin(self._turn)
        column = (cos * x - sin * y) * self.per_cm + self._centre[0]
        row = (sin * x + cos * y) * self.per_cm + self._centre[1]
        return np.rint(row).astype(np.int64), np.rint(column).astype(np.int64)

    def tubes(self, paths: Iterable[Path], section: Section = solid) -> Plane:
        """The summed thickness, in cm, of round tubes along ``paths``."""
        places, weights = [np.zeros(0, np.int64)], [np.zeros(0)]
        total = np.zeros(self.size[0] * self.size[1])
        held = 0
        for path in paths:
            place, weight = self._samples(path, section)
            places.append(place)
            weights.append(weight)
            held += len(place)
            if held > 2_000_000:
                total += np.bincount(np.concatenate(places), np.concatenate(weights), len(total))
                places, weights, held = [], [], 0
        if places:
            total += np.bincount(np.concatenate(places), np.concatenate(weights), len(total))
        return total.reshape(self.size).astype(np.float32)

    def _samples(self, path: Path, section: Section) -> tuple[Places, Doubles]:
        """Pixels under the tube and the thickness that each sample gives them, conserving volume."""
        steps = np.hypot(*np.diff(path.points, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        count = max(4, int(along[-1] * self.per_cm * 2.5))
        at = (np.arange(count) + 0.5) * along[-1] / count
        x, y = (np.interp(at, along, path.points[:, axis]) for axis in (0, 1))
        radius = np.interp(at, along, path.radius)
        angle = np.arctan2(np.gradient(y), np.gradient(x))
        lanes = 4 + int(radius.max() * self.per_cm * 5)
        across = (np.arange(lanes) + 0.5) * 2 / lanes - 1
        reach = radius[:, None] * across
        x, y = (x[:, None] - np.sin(angle)[:, None] * reach, y[:, None] + np.cos(angle)[:, None] * reach)
        row, column = self.pixels(x, y)
        area = radius**2 * (along[-1] / count) * (2 / lanes) * self.per_cm**2
        weight = area[:, None] * section(across)
        on = (row >= 0) & (row < self.size[0]) & (column >= 0) & (column < self.size[1])
        return (row * self.size[1] + column)[on], weight[on]

    def limb(self, path: Path) -> Plane:
        """The thickness of one thick limb along ``path``: smoother than :meth:`tubes`, but slower."""
        chord = np.zeros(self.size, np.float32)
        for start, end, radius in zip(path.points[:-1], path.points[1:], path.radius[:-1], strict=True):
            dx, dy = (float(d) for d in end - start)
            here = self.window(np.minimum(start, end) - radius, np.maximum(start, end) + radius)
            x, y = self.x[here] - np.float32(start[0]), self.y[here] - np.float32(start[1])
            share = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
            away = ((x - share * dx) ** 2 + (y - share * dy) ** 2) / np.float32(radius) ** 2
            chord[here] = np.maximum(chord[here], np.float32(2 * radius) * np.sqrt(np.clip(1 - away, 0, None)))
        return chord

    def window(self, low: ArrayLike, high: ArrayLike) -> tuple[slice, slice]:
        """The rows and columns that hold every point between the corners ``low`` and ``high``, each (x, y)."""
        (left, top), (right, bottom) = np.asarray(low), np.asarray(high)
        row, column = self.pixels(np.array([left, left, right, right]), np.array([top, bottom, top, bottom]))
        start, stop = np.clip([row.min() - 1, row.max() + 2], 0, self.size[0])
        first, last = np.clip([column.min() - 1, column.max() + 2], 0, self.size[1])
        return slice(int(start), int(stop)), slice(int(first), int(last))

    def ellipsoid(self, centre: Point, radii: Point, depth: float, tilt: float = 0.0) -> Plane:
        """Thickness of an ellipsoid, at most ``depth`` cm, its first axis turned ``tilt`` radians clockwise."""
        thickness = np.zeros(self.size, np.float32)
        here = self.window(np.array(centre) - max(radii), np.array(centre) + max(radii))
        inside = np.clip(1 - self.within(centre, radii, tilt, here), 0, None)
        thickness[here] = np.float32(depth) * np.sqrt(inside)
        return thickness

    def within(
        self, centre: Point, radii: Point, tilt: float = 0.0, here: tuple[slice, slice] = np.s_[:, :]
    ) -> Plane:
        """The squared distance from ``centre`` in units of ``radii``: below 1 inside the ellipse."""
        x, y = self.x[here] - np.float32(centre[0]), self.y[here] - np.float32(centre[1])
        cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        along, across = (cos * x + sin * y) / np.float32(radii[0]), (cos * y - sin * x) / np.float32(radii[1])
        return np.asarray(along**2 + across**2, np.float32)

    def noise(self, rng: np.random.Generator, spacing: float, octaves: int = 1) -> Plane:
        """Smooth noise, mean 0 and variance 1; grains ``spacing`` cm apart, in each octave half that."""
        total = np.zeros(self.size, np.float32)
        for octave in range(octaves):
            grain = spacing / 2**octave
            knots = [int(count / self.per_cm / grain) + 5 for count in self.size]
            lattice = rng.standard_normal((knots[0], knots[1]), dtype=np.float32)
            down, right = (_spline(n, k, self.per_cm * grain) for n, k in zip(self.size, knots, strict=True))
            total += down @ lattice @ right.T * np.float32(2.1 / 2 ** (0.7 * octave))
        return total / np.float32(np.sqrt(sum(0.5 ** (1.4 * o) for o in range(octaves))))

    def blur(self, plane: Plane, sigma: float) -> Plane:
        """``plane`` under a Gaussian of ``sigma`` cm; a wide one is worked out on every so many pixels."""
        plane = np.asarray(plane, np.float32)
        apart = max(1, int(sigma * self.per_cm / 2))
        if apart == 1:
            down, right = (_gaussian(n, sigma * self.per_cm) for n in self.size)
            return down @ plane @ right.T
        means = _means(plane, apart)
        down, right = (_gaussian(n, sigma * self.per_cm / apart) for n in means.shape)
        coarse = down @ means @ right.T
        return _linear(self.size[0], apart) @ coarse @ _linear(self.size[1], apart).T


def step(distance: Plane, softness: float) -> Plane:
    """0 to 1 as ``distance`` (cm) passes 0, over about ``softness`` cm on either side."""
    share: Plane = np.float32(0.5) * (1 + np.tanh(distance / np.float32(softness)))
    return share


@lru_cache(maxsize=8)
def _spline(count: int, knots: int, spacing: float) -> Plane:
    """The weights (count, knots) of cubic B-splines, ``spacing`` pixels apart."""
    offset = np.abs(np.arange(count)[:, None] / spacing - np.arange(knots)[None, :] + 1)
    near = 2 / 3 - offset**2 + offset**3 / 2
    far = np.clip(2 - offset, 0, None) ** 3 / 6
    return np.where(offset < 1, near, far).astype(np.float32)


@lru_cache(maxsize=8)
def _gaussian(count: int, sigma: float) -> Plane:
    """The matrix (count, count) that smooths a line of pixels, normalised at its ends."""
    at = np.arange(count)
    kernel = np.exp(-0.5 * ((at[:, None] - at[None, :]) / max(sigma, 1e-3)) ** 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), np.float32)


def _means(plane: Plane, apart: int) -> Plane:
    """The mean of every ``apart`` by ``apart`` pixels; the last ones repeat where they do not fill a block."""
    padded = np.pad(plane, [(0, -count % apart) for count in plane.shape], mode="edge")
    rows, columns = (count // apart for count in padded.shape)
    return np.asarray(padded.reshape(rows, apart, columns, apart).mean(axis=(1, 3)), np.float32)


@lru_cache(maxsize=8)
def _linear(count: int, apart: int) -> Plane:
    """The weights (count, blocks) that interpolate between the centres of blocks of ``apart`` pixels."""
    blocks = -(-count // apart)
    at = np.clip((np.arange(count) + 0.5) / apart - 0.5, 0, blocks - 1)
    return np.asarray(np.clip(1 - np.abs(at[:, None] - np.arange(blocks)), 0, None), np.float32)
