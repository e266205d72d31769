"""Which of a study's images is scored: the newest frontal chest radiograph made for presentation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cds.errors import NothingToScore
from cds.imaging.derived import WARNING

RADIOGRAPHY = ("DX", "CR")
"""Digital and computed radiography. Mammography (MG), fluoroscopy (RF) and the rest are other pictures."""
FRONTAL = ("PA", "AP")
LATERAL = ("LL", "RL", "LLO", "RLO", "LATERAL")
CHEST = ("CHEST", "THORAX", "LUNG", "RIB", "HEART")

SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1": ("CR", ""),
    "1.2.840.10008.5.1.4.1.1.1.1": ("DX", "FOR PRESENTATION"),
    "1.2.840.10008.5.1.4.1.1.1.1.1": ("DX", "FOR PROCESSING"),
}
"""Modality and intent of the storage classes (PS3.4 B.5), which are stated even where the attributes are not."""

SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""Of the storage classes that begin so: a picture of a picture, such as what another program drew on the film."""

LATERAL_WORDS = re.compile(r"\b[lr]?lat(eral)?\b", re.IGNORECASE)
FRONTAL_WORDS = re.compile(r"\b(p\.?a|a\.?p|frontal|decub\w*)\b", re.IGNORECASE)
"""A decubitus film is lateral for the patient who lies, and frontal for whoever looks at it."""
CHEST_WORDS = re.compile(r"\b(chest|thorax|cxr|lungs?)\b", re.IGNORECASE)

MODALITY, BODY_PART, VIEW, INTENT = "00080060", "00180015", "00185101", "00080068"
SERIES_UID, SOP_UID, SOP_CLASS = "0020000E", "00080018", "00080016"
CONTENT_DATE, CONTENT_TIME, SERIES_DATE = "00080023", "00080033", "00080021"
SERIES_DESCRIPTION = "0008103E"
CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
SERIES_NUMBER, INSTANCE_NUMBER = "00200011", "00200013"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of one image before it is fetched; codes in capitals, empty where nothing is stated."""

    series_uid: str
    instance_uid: str
    modality: str = ""
    body_part: str = ""
    view: str = ""
    intent: str = ""
    """Presentation Intent Type (0008,0068): ``FOR PRESENTATION`` or ``FOR PROCESSING``."""
    taken: str = ""
    """Date and time in an order that sorts, of the content or else of the series."""
    position: tuple[int, int] = (0, 0)
    """Series and instance number: the later picture of two otherwise alike is usually the better one."""
    sop_class: str = ""
    description: str = ""
    """Of the series, in free words: computed radiography often has the view and body part nowhere else."""

    @classmethod
    def from_dicom_json(cls, match: Mapping[str, Any]) -> Self:
        """From an instance match of QIDO-RS or from metadata (PS3.18 annex F)."""
        date = text_in(match, CONTENT_DATE) or text_in(match, SERIES_DATE)
        modality, intent = SOP_CLASSES.get(text_in(match, SOP_CLASS), ("", ""))
        return cls(
            series_uid=text_in(match, SERIES_UID),
            instance_uid=text_in(match, SOP_UID),
            modality=code_in(match, MODALITY) or modality,
            body_part=code_in(match, BODY_PART),
            view=code_in(match, VIEW),
            intent=code_in(match, INTENT) or intent,
            taken=date + text_in(match, CONTENT_TIME),
            position=(number_in(match, SERIES_NUMBER), number_in(match, INSTANCE_NUMBER)),
            sop_class=text_in(match, SOP_CLASS),
            description=text_in(match, SERIES_DESCRIPTION),
        )

    @property
    def is_frontal(self) -> bool:
        """As far as is stated, in the attribute or else in words."""
        return self.view in FRONTAL or (not self.view and bool(FRONTAL_WORDS.search(self.description)))

    @property
    def is_lateral(self) -> bool:
        """As far as is stated; a series of both views is neither."""
        unstated = not self.view and not self.is_frontal
        return self.view in LATERAL or (unstated and bool(LATERAL_WORDS.search(self.description)))

    @property
    def is_of_the_chest(self) -> bool:
        """As far as is stated: what is of another body part is refused."""
        return bool(self.body_part or CHEST_WORDS.search(self.description))

    @property
    def is_captured(self) -> bool:
        return self.sop_class.startswith(SECONDARY_CAPTURES)

    @property
    def refusal(self) -> str:
        """Why this image cannot be scored at all, in few words; empty where it can."""
        if not (self.series_uid and self.instance_uid):
            return "image without a UID"
        if self.modality not in RADIOGRAPHY:
            return f"{self.modality or 'unknown modality'}, not a radiograph"
        if self.body_part and not any(part in self.body_part for part in CHEST):
            return f"{self.modality} of another body part"
        return "lateral view" if self.is_lateral else ""

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, str, tuple[int, int]]:
        """Sorts the best last: no copy, frontal, of the chest, for presentation, then the newest."""
        processed = self.intent != "FOR PROCESSING"
        stated = not self.is_captured, self.is_frontal, self.is_of_the_chest, processed
        return *stated, self.taken, self.position


@dataclass(frozen=True, slots=True)
class Choice:
    """The image to score, and what else there was, each kind in a few words."""

    series_uid: str
    instance_uid: str
    modality: str
    view: str
    passed_over: tuple[str, ...] = ()


def choose(instances: Iterable[Mapping[str, Any]], refused: Mapping[str, str] = {}) -> Choice:
    """Choose among DICOM JSON ``instances`` of a study, leaving out what we stored there ourselves.

    Else a study would be another one for our having looked at it. ``refused``: by instance UID, why not, where
    more is known than the search said. Raises :class:`NothingToScore` where none is a frontal chest radiograph,
    saying what there was.
    """
    theirs = (match for match in instances if text_in(match, SERIES_DESCRIPTION) != WARNING)
    candidates = [Candidate.from_dicom_json(match) for match in theirs]
    why = [candidate.refusal or refused.get(candidate.instance_uid, "") for candidate in candidates]
    reasons = [reason for reason in why if reason]
    usable = sorted((c for c, reason in zip(candidates, why, strict=True) if not reason), key=lambda c: c.rank)
    if not usable:
        raise NothingToScore(f"no frontal chest radiograph ({_listed(reasons) or 'the study has no images'})")
    best, others = usable[-1], usable[:-1]
    return Choice(
        series_uid=best.series_uid,
        instance_uid=best.instance_uid,
        modality=best.modality,
        view=best.view,
        passed_over=tuple(counted([_inferiority(other, best) for other in others] + reasons)),
    )


def _inferiority(other: Candidate, best: Candidate) -> str:
    if other.is_captured != best.is_captured:
        return "secondary capture"
    if other.is_frontal != best.is_frontal:
        return "view not stated as frontal"
    if other.is_of_the_chest != best.is_of_the_chest:
        return "body part not stated"
    if other.intent != best.intent and other.intent == "FOR PROCESSING":
        return "unprocessed image"
    return "older image" if other.taken < best.taken else "another image of the same kind"


def counted(reasons: Iterable[str]) -> Iterator[str]:
    """Each of ``reasons`` once, with how often it was given."""
    for reason, count in Counter(reasons).items():
        yield reason if count == 1 else f"{count} x {reason}"


def _listed(reasons: Iterable[str]) -> str:
    return ", ".join(counted(reasons))


def text_in(match: Mapping[str, Any], tag: str) -> str:
    """The first value of an attribute as text; nothing where the match has none, or one of the wrong shape."""
    attribute = match.get(tag)
    values = attribute.get("Value") if isinstance(attribute, Mapping) else None
    first = values[0] if isinstance(values, list) and values else ""
    return str(first).strip() if isinstance(first, str | int | float) else ""


def code_in(match: Mapping[str, Any], tag: str) -> str:
    """A code string (PS3.5 6.2, CS) in capitals, or nothing where the attribute holds anything else.

    What a study is said to be ends in a card, and a PACS may have put a name there.
    """
    value = text_in(match, tag).upper()
    return value if CODE_STRING.fullmatch(value) else ""


def number_in(match: Mapping[str, Any], tag: str) -> int:
    """The first value as a whole number; 0 where it is none."""
    try:
        return int(text_in(match, tag))
    except ValueError:
        return 0
