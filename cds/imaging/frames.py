"""One frame of a multi-frame image, described as an image of its own (PS3.3 C.7.6.16, functional groups)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset

from cds.errors import ImagingError

SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
"""What all frames have in common, and what each has of its own."""
GROUPS = (
    "CTImageFrameTypeSequence",
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
)
"""The functional groups that are read. Of a PET or MR frame others tell its type, which nobody here asks for."""


def number_of_frames(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def frame_of(dataset: Dataset, number: int) -> Dataset:
    """``dataset`` as if the frame ``number``, from 1, were all it has; itself where it has no functional groups.

    Raises :class:`ImagingError` where it has no such frame, or describes more or fewer than it has.
    """
    frames = number_of_frames(dataset)
    if not 1 <= number <= frames:
        raise ImagingError(f"the image has {frames} frames, and no frame {number}")
    if PER_FRAME not in dataset:
        return dataset
    if len(dataset[PER_FRAME].value) != frames:
        raise ImagingError("the image describes more or fewer frames than it has")
    alone = Dataset()
    alone.update(dataset)
    for item in _groups(dataset, number):
        alone.update(item)
    return alone


def _groups(dataset: Dataset, number: int) -> Iterator[Dataset]:
    for groups in (*dataset.get(SHARED, ())[:1], dataset[PER_FRAME][number - 1]):
        for name in GROUPS:
            yield from groups.get(name, ())[:1]
