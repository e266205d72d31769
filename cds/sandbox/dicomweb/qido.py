"""QIDO-RS: search for studies, series and instances (PS3.18 10.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Response, request

from cds.errors import RequestError
from cds.sandbox.archive import Instance
from cds.sandbox.dicomweb.authorization import check_fault, visible
from cds.sandbox.dicomweb.matching import element_matches, tag_of
from cds.sandbox.dicomweb.negotiation import check_json_accepted, dicom_json
from cds.sandbox.parts import sandbox

Level = Literal["study", "series", "instance"]

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000

_STUDY, _SERIES, _PATIENT_ID = "0020000D", "0020000E", "00100020"
_MODALITY, _MODALITIES_IN_STUDY = "00080060", "00080061"

_RETURNED: Mapping[Level, tuple[str, ...]] = {
    "study": (
        *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientName", "PatientID"),
        *("PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID"),
    ),
    "series": (
        *("Modality", "SeriesDescription", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber"),
        *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
    ),
    "instance": (
        *("SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
        *("NumberOfFrames", "Rows", "Columns", "BitsAllocated"),
    ),
}
"""The attributes of PS3.18 Tables 10.6.3-3 to -5 that are in the instances; the others are counted here."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search as the URL asks for it."""

    matches: Mapping[str, str]
    include: frozenset[str]
    everything: bool
    limit: int
    offset: int
    warned: bool
    """Something was asked for that is not done here."""


def search(level: Level, study: str | None = None, series: str | None = None) -> Response:
    """The studies, series or instances that match all keys, in the order of their arrival."""
    check_json_accepted()
    asked = _asked()
    groups = _groups(level, _candidates(asked, study, series))
    page = groups[asked.offset : asked.offset + asked.limit]
    for first in page:
        check_fault(first.study)
    # Attributes of a study are told in a search for its series only where the URL does not name the study.
    levels = _levels(level, told=study, told_series=series)
    response = dicom_json([_result(levels, first, asked) for first in page])
    if asked.warned:
        response.headers["Warning"] = '299 sandbox "a parameter was not understood and has been ignored"'
    return response


def _asked() -> _Asked:
    matches: dict[str, str] = {}
    include: set[str] = set()
    warned = False
    for name, value in request.args.items(multi=True):
        if name in ("limit", "offset"):
            continue
        if name == "includefield":
            include.update(value.split(","))
        elif name == "fuzzymatching":
            warned = warned or value == "true"
        elif tag := tag_of(name):
            matches[_MODALITY if tag == _MODALITIES_IN_STUDY else tag] = value
        else:
            warned = True
    tags = frozenset(tag for name in include if (tag := tag_of(name)))
    limit = min(_number("limit", DEFAULT_LIMIT), MAX_LIMIT)
    return _Asked(matches, tags, "all" in include, limit, _number("offset", 0), warned)


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, str(otherwise))
    if not text.isdecimal() or len(text) > 9:
        raise RequestError(f"{name} must be a whole number")
    return int(text)


def _candidates(asked: _Asked, study: str | None, series: str | None) -> Iterator[Instance]:
    """The matching instances of the studies that the token may see."""
    seen: dict[str, bool] = {}
    found = sandbox().archive.find(
        study=study or _exact(asked.matches.get(_STUDY)),
        series=series or _exact(asked.matches.get(_SERIES)),
        patient=_exact(asked.matches.get(_PATIENT_ID)),
    )
    for one in found:
        if one.study not in seen:
            seen[one.study] = visible(one.study)
        if seen[one.study] and all(
            element_matches(tag, one.metadata.get(tag), value) for tag, value in asked.matches.items()
        ):
            yield one


def _exact(value: str | None) -> str | None:
    """A key that the index can look up by itself: one value, without wildcards."""
    return value if value and not set(value) & set("*?,\\") else None


def _groups(level: Level, instances: Iterator[Instance]) -> list[Instance]:
    """The first instance of each study, series or instance."""
    groups: dict[str, Instance] = {}
    for one in instances:
        groups.setdefault(getattr(one, level), one)
    return list(groups.values())


def _levels(level: Level, *, told: str | None, told_series: str | None) -> list[Level]:
    levels: list[Level] = [level]
    if level == "instance" and not told_series:
        levels.insert(0, "series")
    if level != "study" and not told:
        levels.insert(0, "study")
    return levels


def _result(levels: list[Level], first: Instance, asked: _Asked) -> dict[str, Any]:
    wanted: set[str | None] = {*asked.include, *asked.matches, _STUDY}
    if levels[-1] != "study":
        wanted.add(_SERIES)
    for level in levels:
        wanted |= {tag_of(keyword) for keyword in _RETURNED[level]}
    kept = {tag: element for tag, element in first.metadata.items() if asked.everything or tag in wanted}
    for level in levels:
        kept |= _counted(level, first)
    return dict(sorted((kept | _place(levels[-1], first)).items()))


def _counted(level: Level, first: Instance) -> dict[str, Any]:
    """What no single instance says: how many there are, and of which kinds."""
    archive = sandbox().archive
    if level == "instance":
        return {"00083002": {"vr": "UI", "Value": [first.transfer_syntax]}}
    if level == "series":
        related = archive.find(study=first.study, series=first.series)
        return {"00201209": {"vr": "IS", "Value": [len(related)]}}
    related = archive.find(study=first.study)
    modalities = sorted({value for one in related for value in one.metadata.get(_MODALITY, {}).get("Value", [])})
    return {
        _MODALITIES_IN_STUDY: {"vr": "CS", "Value": modalities},
        "00201206": {"vr": "IS", "Value": [len({one.series for one in related})]},
        "00201208": {"vr": "IS", "Value": [len(related)]},
    }


def _place(level: Level, first: Instance) -> dict[str, Any]:
    """Retrieve URL and Instance Availability."""
    url = f"{sandbox().dicomweb_root}/studies/{first.study}"
    if level != "study":
        url += f"/series/{first.series}"
    if level == "instance":
        url += f"/instances/{first.instance}"
    return {"00081190": {"vr": "UR", "Value": [url]}, "00080056": {"vr": "CS", "Value": ["ONLINE"]}}
