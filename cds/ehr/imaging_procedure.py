"""What an imaging order, or a study, is of: how the image is made, and of which part of the body.

Codes say it first: the category, then the procedure by the table below, the body site, and for studies DICOM's
modality. Words are the last resort, and alone they make an order an imaging order only where they name both how
and what: "CT" by itself is also a test for chlamydia.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cds.ehr import imaging_studies
from cds.ehr.datatypes import Resource, codes, element, elements, string, words
from cds.ehr.imaging_studies import Wanted
from cds.findings import SNOMED_CT

LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"

RADIOGRAPH, CT, CT_ANGIOGRAPHY, MR, ULTRASOUND, MAMMOGRAM, NUCLEAR = (
    "radiograph",
    "CT",
    "CT angiogram",
    "MR",
    "ultrasound",
    "mammogram",
    "nuclear medicine",
)


@dataclass(frozen=True, slots=True)
class Procedure:
    """How and of what; what is not told is empty."""

    modality: str = ""
    regions: frozenset[str] = frozenset()
    side: str = ""
    """``left``, ``right`` or ``both``, of a part of the body that comes in pairs."""

    def may_show(self, region: str) -> bool:
        """Whether it is of that part of the body, or does not say of what; ``region`` may be empty: any."""
        return not region or region in self.regions or not self.regions

    @property
    def by_ct(self) -> bool:
        return self.modality in (CT, CT_ANGIOGRAPHY)

    def is_repeated_by(self, other: Procedure) -> bool:
        """Whether both say how and of what, and say the same."""
        return bool(self.modality and self.regions) and self == other

    def includes(self, other: Procedure) -> bool:
        """Whether it shows all that ``other`` would, in the same way."""
        return self.modality == other.modality and self.regions >= other.regions

    def __str__(self) -> str:
        """In words, such as ``knee radiograph``."""
        return " ".join(filter(None, (self.side, " and ".join(sorted(self.regions)), self.modality or "imaging")))


def of_order(order: Resource) -> Procedure | None:
    """What a ServiceRequest asks for; ``None`` where it is no imaging order."""
    categories = {code for category in elements(order, "category") for code in codes(category)}
    listed = bool(categories & _IMAGING)
    if not listed and categories & _OTHER_THAN_IMAGING:
        return None
    concept, sites = element(order, "code"), elements(order, "bodySite")
    told = _told([concept], [code for site in sites for code in codes(site)], [concept, *sites])
    by_code = listed or _coded([concept]) is not None or any(map(_is_radiology_cpt, elements(concept, "coding")))
    return told if by_code or (told.modality and told.regions) else None


def of_study(study: Resource) -> Procedure:
    """What an ImagingStudy shows."""
    series, procedures = elements(study, "series"), elements(study, "procedureCode")
    sites = [element(one, "bodySite") for one in series]
    sides = [element(one, "laterality") for one in series]
    description = {"text": string(study, "description")}
    told = _told(procedures, [string(site, "code") for site in sites], [*procedures, *sites, *sides, description])
    return Procedure(_by_dicom(study, told.modality), told.regions, told.side)


def ct_of(region: str) -> Wanted:
    """A CT that is said to be of that part of the body: of what is not said, a model of it is not asked."""
    return Wanted(CT, region, ("CT",), lambda study: region in of_study(study).regions)


def _told(concepts: list[Resource], sites: list[str], named: list[Resource]) -> Procedure:
    """By the table, else by body site and by words; ``named`` is all that says something to a person."""
    text = " ".join(map(words, named))[:_READ]
    modality, regions = _coded(concepts) or ("", frozenset())
    by_site = {_SITES[code] for code in sites if code in _SITES}
    regions = regions or frozenset(by_site | _regions(" ".join([*sites, text])))
    return Procedure(modality or _modality(text), regions, _side(text) if regions & _PAIRED else "")


def _coded(concepts: Iterable[Resource]) -> tuple[str, frozenset[str]] | None:
    for coding in (coding for concept in concepts for coding in elements(concept, "coding")):
        if found := _PROCEDURES.get((string(coding, "system"), string(coding, "code"))):
            modality, region = found
            return modality, frozenset({region})
    return None


def _is_radiology_cpt(coding: Resource) -> bool:
    """CPT's section "Radiology" is 70010 to 79999."""
    return string(coding, "system") == CPT and re.fullmatch(r"7\d{4}", string(coding, "code")) is not None


def _by_dicom(study: Resource, told: str) -> str:
    """By the modality that was at work, unless there were several; the words may tell an angiogram."""
    stated = [*elements(study, "modality"), *(element(one, "modality") for one in elements(study, "series"))]
    found = {_DICOM[code] for coding in stated if (code := string(coding, "code")) in _DICOM}
    if len(found) != 1:
        return "" if found else told
    (modality,) = found
    return told if (modality, told) == (CT, CT_ANGIOGRAPHY) else modality


def _modality(text: str) -> str:
    return next((modality for modality, pattern in _MODALITY_WORDS if pattern.search(text)), "")


def _regions(text: str) -> set[str]:
    return {region for region, pattern in _REGION_WORDS.items() if pattern.search(text)}


def _side(text: str) -> str:
    left, right = (re.search(rf"\b({side})\b", text, re.IGNORECASE) for side in ("left|lt", "right|rt"))
    if re.search(r"\bbilateral|\bboth\b", text, re.IGNORECASE) or (left and right):
        return "both"
    return "left" if left else "right" if right else ""


_READ = 500
"""How much of the words is read."""

_IMAGING = frozenset({"363679005", "RAD", "IMG", "imaging"})
"""Categories: SNOMED CT "Imaging", HL7 v2 table 0074, observation-category."""

_OTHER_THAN_IMAGING = frozenset(
    {"108252007", "laboratory", "LAB", "409063005", "409073007", "387713003", "procedure", "social-history"}
)
"""Laboratory, counselling, education, surgery, as US Core and HL7 v2 name them."""

_PROCEDURES: Mapping[tuple[str, str], tuple[str, str]] = {
    (system, code): (modality, region)
    for system, modality, region, listed in (
        (LOINC, RADIOGRAPH, "chest", "36643-5 36572-6 36554-4 30745-4 24632-2 24642-1 24647-0 24648-8"),
        (LOINC, CT, "chest", "24627-2 24628-0 29252-4 30598-7"),
        (LOINC, MR, "chest", "24629-8"),
        (LOINC, ULTRASOUND, "chest", "24630-6"),
        (LOINC, CT, "head", "24725-4 24726-2 24727-0 30799-1"),
        (LOINC, MR, "head", "24590-2"),
        (CPT, RADIOGRAPH, "chest", "71045 71046 71047 71048"),
        (CPT, CT, "chest", "71250 71260 71270 71271"),
        (CPT, CT_ANGIOGRAPHY, "chest", "71275"),
        (CPT, MR, "chest", "71550 71551 71552"),
        (CPT, ULTRASOUND, "chest", "76604"),
        (CPT, CT, "head", "70450 70460 70470"),
        (SNOMED_CT, RADIOGRAPH, "chest", "399208008 168731009"),
        (SNOMED_CT, CT, "chest", "169069000"),
    )
    for code in listed.split()
}
"""Chest and head, as far as they were looked up; the rest goes by body site and words."""

_SITES: Mapping[str, str] = {
    **dict.fromkeys(imaging_studies.CHEST, "chest"),
    **dict.fromkeys(("69536005", "12738006"), "head"),
    "72696002": "knee",
    "818983003": "abdomen",
}
"""SNOMED CT body structures."""

_DICOM: Mapping[str, str] = {
    **dict.fromkeys(("DX", "CR", "RG"), RADIOGRAPH),
    **dict.fromkeys(("PT", "NM"), NUCLEAR),
    "CT": CT,
    "MR": MR,
    "US": ULTRASOUND,
    "MG": MAMMOGRAM,
}
"""Modality (0008,0060), those that make images of a patient."""

_MODALITY_WORDS = tuple(
    (modality, re.compile(pattern))
    for modality, pattern in (
        (CT_ANGIOGRAPHY, r"(?i)\bct ?angio|\bctp?a\b|\bcta?\b.*\b(angio\w*|pe protocol)"),
        (CT, r"(?i)\bct\b|\bcat scan|\bcomputed tomogra"),
        (MR, r"\bMR[IA]?\b|(?i:\bmri\b|\bmagnetic resonance)"),
        (MAMMOGRAM, r"(?i)\bmammogra"),
        (NUCLEAR, r"(?i)\bpet\b|\bspect\b|\bscintigra|\bbone scan|\bnuclear medicine"),
        (ULTRASOUND, r"(?i:\bultraso|\bsonogra|\bechocardiogra|\bdoppler|\bduplex)|\bUS\b"),
        (RADIOGRAPH, r"(?i)\bx-?\s?rays?\b|\bxr\b|\bcxr\b|\bradiogra|\bradiologic exam|\bplain (film|chest)"),
    )
)
"""The first that fits: a CT angiogram is also a CT."""

_REGION_WORDS = {
    region: re.compile(rf"\b({pattern})", re.IGNORECASE)
    for region, pattern in {
        "chest": r"chest|cxr\b|ctpa\b|thorax|thoracic(?! spine)|lungs?\b|pulmonary|ribs?\b|pleura",
        "head": r"head|brain|skull|cranial",
        "neck": r"neck|(?<!spine )cervical(?! spine)",
        "spine": r"spine|spinal|lumbar",
        "abdomen": r"abdom|kub\b|liver|renal|kidney",
        "pelvis": r"pelvi",
        "heart": r"heart|cardiac|echocardiogra",
        "breast": r"breast|mammogra",
        "shoulder": r"shoulder|clavicle",
        "arm": r"arm\b|forearm|humerus|elbow|upper extremity",
        "hand": r"hand|wrist|finger",
        "hip": r"hip\b|hips\b",
        "leg": r"leg\b|thigh|femur|tibia|lower extremity",
        "knee": r"knee",
        "foot": r"foot|feet|ankle|toe",
    }.items()
}

_PAIRED = frozenset({"breast", "shoulder", "arm", "hand", "hip", "leg", "knee", "foot"})
