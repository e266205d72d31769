"""A series of a CT in files, read and scored as the service reads and scores one in a PACS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from cds.engine.bundles import Bundle
from cds.engine.slices import SliceReader, score_series
from cds.errors import ImagingError
from cds.findings import PartScore
from cds.imaging.ct.series import INSTANCES_IN_SERIES, choose_series, gathered
from cds.imaging.ct.slice import read_instance
from cds.imaging.ct.volume import Volume, stacked
from cds.imaging.ct.windows import pictured
from cds.imaging.deflated import inflated
from cds.imaging.pixels import readable
from cds.imaging.selection import SERIES_UID, text_in

LOOKED_AT = (
    "SOPClassUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "SeriesDescription",
    "SeriesNumber",
    "NumberOfFrames",
)
"""By which a series is chosen."""


def score_ct(bundle: Bundle, reader: SliceReader, place: Path) -> PartScore:
    """The CT in the file or folder ``place``; raise :class:`ImagingError` with the reason where it has none."""
    volume = _volume(place, bundle.input)
    return score_series(bundle, reader, (pictured(one.hounsfield, bundle.input) for one in volume.slices)).score


def _volume(place: Path, asked: Mapping[str, Any]) -> Volume:
    """Of the series that :func:`choose_series` would choose in a PACS that held these files."""
    held = _by_series(place)
    headers = {uid: [header for _, header in files] for uid, files in held.items()}
    series = [{**of[0], INSTANCES_IN_SERIES: {"Value": [len(of)]}} for of in headers.values()]
    chosen = choose_series(series, asked["body_part"], headers.__getitem__).series_uid
    agent = asked.get("contrast_agent")
    instances = (read_instance(file.read_bytes(), contrast_agent=agent) for file, _ in held[chosen])
    return stacked(gathered(instances, asked["body_part"]))


def _by_series(place: Path) -> Mapping[str, list[tuple[Path, Mapping[str, Any]]]]:
    """The DICOM files in ``place``, at any depth, with what their headers say (PS3.18 annex F)."""
    found = defaultdict(list)
    for file, header in _headers([place] if place.is_file() else sorted(place.rglob("*"))):
        found[text_in(header, SERIES_UID)].append((file, header))
    if not found:
        raise ImagingError("there are no DICOM images in the folder")
    return found


def _headers(files: list[Path]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """What is no image, such as a DICOMDIR, a licence or a picture for the web, is left out."""
    for file in files:
        data = file.read_bytes() if file.is_file() else b""
        if data[128:132] != b"DICM":
            continue
        with readable("a DICOM file of the series cannot be read"):
            header = dcmread(BytesIO(inflated(data)), stop_before_pixels=True, specific_tags=list(LOOKED_AT))
            header.remove_private_tags()
            match = header.to_json_dict()
        if text_in(match, SERIES_UID):
            yield file, match
