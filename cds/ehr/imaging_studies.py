"""Which of a patient's imaging studies can be scored, and where its pixels are (FHIR R4, imagingstudy.html).

Pure functions on ImagingStudy and Endpoint resources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cds.ehr.datatypes import (
    Resource,
    codes,
    element,
    elements,
    instance,
    local_reference,
    parse_datetime,
    references,
    string,
    words,
)

MODALITIES = ("DX", "CR")
"""Projection radiographs (DICOM PS3.3, Modality (0008,0060)), the better one first."""

UNUSABLE = frozenset({"cancelled", "entered-in-error"})
WADO_RS = "dicom-wado-rs"
CHEST = frozenset({"51185008", "43799004", "816094009", "39607008", "302551006", "CHEST"})
"""Thorax, thoracic cavity, chest wall region, lung, entire thorax: SNOMED CT; and DICOM's own code."""

_CHEST_WORDS = re.compile(r"\b(chest|thora(x|cic)|lungs?|cxr|ribs?)\b", re.IGNORECASE)
_CODE_STRING = re.compile(r"[A-Z0-9]{1,16}")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StudyCandidate:
    """A study that can be scored."""

    reference: str
    """``ImagingStudy/{id}``."""
    study_uid: str
    modality: str
    started: datetime | None
    description: str
    roots: tuple[str, ...]
    """The DICOMweb root that serves the study, without a slash at its end; where the EHR does not say which, all
    that may."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What can be scored, newest first, and what was passed over, each in a few words."""

    candidates: tuple[StudyCandidate, ...]
    passed_over: tuple[str, ...]

    def without_the_newest(self, reason: str) -> Selection:
        """What is left where the PACS has nothing to score of the newest candidate, for that ``reason``."""
        newest, *older = self.candidates
        return Selection(tuple(older), (f"{_named(newest.modality, newest.started)}: {reason}", *self.passed_over))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a study must be to be scored."""

    kind: str
    """Of image, in words: ``radiograph``."""
    region: str
    modalities: tuple[str, ...]
    """The best first."""
    is_shown_by: Callable[[Resource], bool]
    """Whether an ImagingStudy may show the region."""


class _PassedOver(Exception):
    """Why a study cannot be scored, in a few words."""


def select(
    studies: Iterable[Resource],
    endpoints: Iterable[Resource],
    wanted: Wanted | None = None,
    *,
    elsewhere: Sequence[str] = (),
) -> Selection:
    """Those among ``studies`` that are ``wanted``: the chest radiographs, unless something else is.

    One of the roots ``elsewhere`` may serve those whose ImagingStudy names no endpoint: many an EHR leaves that to
    configuration.
    """
    roots = {local_reference(endpoint): root for endpoint in endpoints if (root := wado_root(endpoint))}
    candidates, passed_over = [], []
    for study in sorted(studies, key=_started_or_long_ago, reverse=True):
        try:
            candidates.append(_candidate(study, wanted or CHEST_RADIOGRAPH, roots, tuple(elsewhere)))
        except _PassedOver as reason:
            passed_over.append(f"{_title(study)}: {reason}")
    return Selection(tuple(candidates), tuple(passed_over))


def study_uid(study: Resource) -> str:
    """The Study Instance UID, empty where there is none.

    It is the identifier of system ``urn:dicom:uid``; many an EHR gives it as a plain URI, ``urn:oid:…``.
    """
    for system in ("urn:dicom:uid", "urn:ietf:rfc:3986"):
        for identifier in elements(study, "identifier"):
            uid = string(identifier, "value").removeprefix("urn:oid:")
            if string(identifier, "system") == system and is_uid(uid):
                return uid
    return ""


def is_uid(text: str) -> bool:
    """Whether ``text`` is a DICOM UID (PS3.5, 9.1)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def wado_root(endpoint: Resource) -> str | None:
    """The address of an active WADO-RS Endpoint, else ``None``."""
    speaks = string(element(endpoint, "connectionType"), "code") == WADO_RS
    if not speaks or string(endpoint, "status") not in ("active", "test"):
        return None
    return string(endpoint, "address").rstrip("/") or None


def endpoint_references(study: Resource) -> list[str]:
    """Every Endpoint that the study or one of its series names, each once."""
    levels = [study, *elements(study, "series")]
    return list(dict.fromkeys(name for level in levels for name in references(level, "endpoint")))


def started(study: Resource) -> datetime | None:
    """When the study began, or its first series where the study does not say."""
    own = parse_datetime(string(study, "started"))
    series = (parse_datetime(string(series, "started")) for series in elements(study, "series"))
    return own or min(filter(None, series), default=None)


def _started_or_long_ago(study: Resource) -> datetime:
    return started(study) or _LONG_AGO


def _candidate(
    study: Resource, wanted: Wanted, roots: Mapping[str, str], elsewhere: tuple[str, ...]
) -> StudyCandidate:
    if string(study, "status") in UNUSABLE:
        raise _PassedOver(string(study, "status"))
    if not (uid := study_uid(study)):
        raise _PassedOver("no Study Instance UID")
    if not (modality := _modality(study, wanted)):
        raise _PassedOver(f"not a {wanted.kind}")
    if not wanted.is_shown_by(study):
        raise _PassedOver(f"not of the {wanted.region}")
    named = _root(study, wanted, {**roots, **_contained_roots(study)})
    if not (among := (named,) if named else elsewhere):
        raise _PassedOver("no DICOMweb address")
    return StudyCandidate(local_reference(study), uid, modality, started(study), _description(study), among)


def _root(study: Resource, wanted: Wanted, roots: Mapping[str, str]) -> str | None:
    """Where the study's own Endpoint says that it is, or that of a series that can be scored."""
    best_first = wanted.modalities.index
    series = [one for one in elements(study, "series") if _code(one, "modality") in wanted.modalities]
    series.sort(key=lambda one: best_first(_code(one, "modality")))
    named = (_key(name) for level in (study, *series) for name in references(level, "endpoint"))
    return next((roots[key] for key in named if key in roots), None)


def _modality(study: Resource, wanted: Wanted) -> str:
    present = {string(coding, "code") for coding in elements(study, "modality")}
    present |= {_code(series, "modality") for series in elements(study, "series")}
    return next((modality for modality in wanted.modalities if modality in present), "")


def _code(series: Resource, name: str) -> str:
    return string(element(series, name), "code")


def _of_the_chest(study: Resource) -> bool:
    """Whether it says chest anywhere, or says no body part at all."""
    sites = [element(series, "bodySite") for series in elements(study, "series")]
    procedures = elements(study, "procedureCode")
    said = {string(site, "code") for site in sites} | {code for p in procedures for code in codes(p)}
    text = " ".join([*map(words, sites), *map(words, procedures), _description(study)]).strip()
    return bool(said & CHEST or _CHEST_WORDS.search(text)) or not any(map(_names_site, sites))


CHEST_RADIOGRAPH = Wanted("radiograph", "chest", MODALITIES, _of_the_chest)


def _names_site(site: Resource) -> bool:
    return bool(string(site, "code") or words(site))


def _description(study: Resource) -> str:
    series = (string(series, "description") for series in elements(study, "series"))
    return string(study, "description") or next(filter(None, series), "")


def _key(reference: str) -> str:
    """``Type/id``, or ``#id`` for a contained one, whatever server and version the reference spells out."""
    return reference if reference.startswith("#") else instance(reference)


def _contained_roots(study: Resource) -> dict[str, str]:
    contained = elements(study, "contained")
    return {f"#{string(endpoint, 'id')}": root for endpoint in contained if (root := wado_root(endpoint))}


def _title(study: Resource) -> str:
    """Modality and day, as a clinician would name it: "CT of 2024-03-02"."""
    listed = [string(coding, "code") for coding in elements(study, "modality")]
    listed += [_code(series, "modality") for series in elements(study, "series")]
    # It ends in a card: a DICOM code string and nothing else.
    modality = next(filter(_CODE_STRING.fullmatch, listed), "study")
    return _named(modality, started(study))


def _named(modality: str, when: datetime | None) -> str:
    return f"{modality} of {when.date().isoformat()}" if when else modality
