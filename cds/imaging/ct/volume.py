"""The slices of a series, put over one another as they lie in the patient (PS3.3 C.7.6.2.1.1).

Neither file names nor instance numbers say where a slice lies: its position along the slices' common normal does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cds.errors import ImagingError
from cds.imaging.ct.slice import Slice, Vector

FEWEST = 3
"""Fewer slices are no volume."""
SAME_PLACE = 0.01
"""Slices so few millimetres apart lie at one place."""
GAP = 1.5
"""Neighbours that are more than so many thicknesses apart have something between them that was not imaged."""
STEEPEST_TILT = 45.0
"""Degrees. A gantry tilts by 30 at most."""
SEEN = 10
"""A volume whose values span no more Hounsfield units is blank."""


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Axial slices of one size and orientation, in order."""

    slices: tuple[Slice, ...]
    """From one end to the other: by place, in the direction in which the scanner numbers them."""
    left_out: tuple[str, ...]
    """What of the series is not in it, each in a few words."""

    @property
    def steps(self) -> Vector:
        """Millimetres along the normal from each slice to the next."""
        steps: Vector = np.abs(np.diff([one.place for one in self.slices]))
        return steps

    @property
    def tilt(self) -> float:
        """Degrees between the slices' normal and the line on which they lie, as a tilted gantry makes it."""
        line = self.slices[-1].position - self.slices[0].position
        cosine = abs(line @ self.slices[0].normal) / np.linalg.norm(line)
        return math.degrees(math.acos(min(1.0, float(cosine))))

    @property
    def gaps(self) -> dict[int, float]:
        """After which slice, from 1, something was not imaged: millimetres to the next."""
        usual = float(np.median(self.steps))
        return {
            number: float(step)
            for number, step in enumerate(self.steps, start=1)
            if step > GAP * (_thickness(self.slices[number - 1 : number + 1]) or usual)
        }

    @property
    def lacking(self) -> tuple[str, ...]:
        """What of the patient was not imaged, in a sentence without its full stop."""
        match list(self.gaps.items()):
            case []:
                return ()
            case [(number, step)]:
                return (f"the CT has a gap: slice {number + 1} lies {step:.0f} mm from slice {number}",)
            case several:
                widest = max(step for _, step in several)
                return (f"the CT has {len(several)} gaps: slices lie up to {widest:.0f} mm from the next",)


def stacked(slices: Iterable[Slice]) -> Volume:
    """The largest set of ``slices`` that fit over one another; raise :class:`ImagingError` where there is none."""
    every = list(slices)
    axial = [one for one in every if not one.localizer]
    alike = max(_alike(axial), key=len, default=[])
    ordered, twice = _in_order(alike)
    left_out = (
        *_counted(len(every) - len(axial), "localizer", "localizers"),
        *_counted(len(axial) - len(alike), "slice", "slices", "of another orientation or size"),
        *_counted(twice, "slice", "slices", "at the place of another"),
    )
    if len(ordered) < FEWEST:
        raise ImagingError(f"the series has too few slices for a volume: {len(ordered)}")
    volume = Volume(tuple(ordered), left_out)
    _check(volume)
    return volume


def _alike(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Sorted into those of one orientation, size and pixel spacing."""
    sorts = defaultdict(list)
    for one in slices:
        directions = tuple(np.round([*one.row, *one.column], 2) + 0.0)
        spacing = tuple(round(side, 3) for side in one.spacing)
        sorts[directions, spacing, one.hounsfield.shape].append(one)
    return list(sorts.values())


def _in_order(slices: Sequence[Slice]) -> tuple[list[Slice], int]:
    """One slice for each place, the one with the lowest number; and how many there were beside these."""
    ordered: list[Slice] = []
    for one in sorted(slices, key=lambda one: (round(one.place, 2), one.number)):
        if not ordered or one.place - ordered[-1].place > SAME_PLACE:
            ordered.append(one)
    if ordered and ordered[0].number > ordered[-1].number:
        ordered.reverse()
    return ordered, len(slices) - len(ordered)


def _check(volume: Volume) -> None:
    if abs(volume.slices[0].normal[2]) < math.cos(math.radians(STEEPEST_TILT)):
        raise ImagingError("the slices are not axial")
    if volume.tilt > STEEPEST_TILT:
        raise ImagingError("the slices do not lie over one another")
    sample = np.stack([one.hounsfield[::8, ::8] for one in volume.slices])
    low, high = np.percentile(sample, (1.0, 99.0))
    if high - low <= SEEN:
        raise ImagingError("the series is blank")


def _thickness(slices: Sequence[Slice]) -> float | None:
    return max((one.thickness for one in slices if one.thickness), default=None)


def _counted(count: int, one: str, several: str, what: str = "") -> list[str]:
    return [f"{count} {one if count == 1 else several} {what}".rstrip()] if count else []
