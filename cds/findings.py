"""The values that pass between rooms: what was looked at, what was found, how sure we are.

Plain, frozen and free of behaviour. Nothing here imports anything of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

SNOMED_CT = "http://snomed.info/sct"
CANONICAL = "https://sightline.example/fhir"
"""The base of our own identifiers and code systems."""
PRESCREEN_IDENTIFIER = f"{CANONICAL}/identifier/prescreen"
"""By which what we reported is known again, wherever it is kept."""
AI_ASSERTED = "AIAST"
"""The security label of what an algorithm asserts (HL7 v3 ObservationValue)."""


@dataclass(frozen=True, slots=True)
class FindingType:
    """Something a model can look for, and what it is called in SNOMED CT."""

    key: str
    display: str
    snomed: str
    time_critical: bool = False
    region: str = "chest"
    """The part of the body that it is in (:mod:`cds.ehr.imaging_procedure`); empty: any."""


FINDINGS: Mapping[str, FindingType] = {
    f.key: f
    for f in (
        FindingType("atelectasis", "Atelectasis", "46621007"),
        FindingType("cardiomegaly", "Cardiomegaly", "8186001"),
        FindingType("consolidation", "Consolidation", "95436008"),
        FindingType("edema", "Pulmonary edema", "19242006", time_critical=True),
        FindingType("effusion", "Pleural effusion", "60046008"),
        FindingType("emphysema", "Emphysema", "87433001"),
        FindingType("fibrosis", "Fibrosis of lung", "51615001"),
        FindingType("hernia", "Hiatal hernia", "84089009"),
        FindingType("infiltration", "Lung infiltrate", "409609008"),
        FindingType("mass", "Lung mass", "309529002"),
        FindingType("nodule", "Nodule of lung", "786838002"),
        FindingType("pleural_thickening", "Pleural thickening", "57089007"),
        FindingType("pneumonia", "Pneumonia", "233604007"),
        FindingType("pneumothorax", "Pneumothorax", "36118008", time_critical=True),
    )
}
"""The findings on a chest radiograph, by key; the keys are those of the model bundles."""

CT_FINDINGS: Mapping[str, FindingType] = {
    f.key: f
    for f in (
        FindingType("hemorrhage", "Intracranial hemorrhage", "1386000", time_critical=True, region="head"),
        FindingType("embolism", "Pulmonary embolism", "59282003", time_critical=True),
        FindingType("skull_fracture", "Fracture of skull", "71642004", region="head"),
        FindingType("fracture", "Fracture of bone", "125605004", region=""),
    )
}
"""What a CT bundle may look for. None is shipped, so nobody is shown these unless a bundle was brought."""

KNOWN_FINDINGS: Mapping[str, FindingType] = {**FINDINGS, **CT_FINDINGS}
"""Everything that a bundle may look for, by key."""

Part = Literal["image", "note"]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One exact model: the same digest means the same weights and calibration."""

    kind: Literal["image", "note", "fusion", "identifiers", "quality"]
    name: str
    version: str
    digest: str
    """SHA-256 of ``bundle.json``, which itself lists the SHA-256 of every other file."""


@dataclass(frozen=True, slots=True)
class Passage:
    """``text[start:end]`` of a note, and what the note model says of it alone."""

    start: int
    end: int
    probabilities: Mapping[str, float]
    """Calibrated, by finding key; only those from the bundle's review band upwards."""


@dataclass(frozen=True, slots=True)
class PartScore:
    """What one model says about one input."""

    model: ModelVersion
    probabilities: Mapping[str, float]
    """Calibrated probability, 0 to 1, by finding key."""
    passages: tuple[Passage, ...] = ()
    """Of a note: those that carried a finding, in their order."""


class Assertion(StrEnum):
    """How a text speaks of a finding."""

    PRESENT = "present"
    POSSIBLE = "possible"
    NEGATED = "negated"
    PAST = "past"
    OTHER_PERSON = "other person"
    ASKED = "asked about"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sentence stands in a note as it was written, which whoever may read the note can look up there."""

    note: str
    """:attr:`NoteSeen.digest`."""
    start: int
    """Offset of the first character in the note's text, as :func:`cds.notes.extraction.extract` gives it."""
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a de-identified note that carried a finding, or that names it without its being there."""

    finding: str
    assertion: Assertion
    text: str
    start: int
    """Offset of the first character in the text that was scored."""
    end: int
    probability: float | None = None
    """What the note model says of the sentence; ``None`` where it did not count."""
    place: Place | None = None
    """``None`` where it stands in no note: it is of the patient's context, or of two lines that were joined."""


@dataclass(frozen=True, slots=True)
class KeySlice:
    """The slice of a CT series that speaks most for a finding."""

    instance_uid: str
    number: int
    """From 1, in the order of the series."""
    of: int
    """How many slices were scored."""
    frame: int | None = None
    """From 1, where the instance has many."""

    def shown_in(self, study: StudySeen) -> bool:
        """Whether it is the one that is shown of the study."""
        return (self.instance_uid, self.frame) == (study.instance_uid, study.frame)


@dataclass(frozen=True, slots=True)
class StudySeen:
    """The image that was scored, and where it came from."""

    study_uid: str
    series_uid: str
    instance_uid: str
    """Of a CT the key slice of what it was scored highest for."""
    modality: str
    view: str
    """``PA``, ``AP``, ``LL`` … as in View Position (0018,5101); empty when not stated."""
    started: datetime | None
    reference: str
    """``ImagingStudy/{id}`` on the EHR's FHIR server."""
    root: str
    """The DICOMweb root that serves it."""
    passed_over: tuple[str, ...] = ()
    """What else there was, each in a few words."""
    burned_in: bool = False
    """Whether there is writing in the picture, which may name a person."""
    frame: int | None = None
    """From 1, where the instance has many."""
    quality: tuple[str, ...] = ()
    """Why it may be no film that the image model can read, each in a few words; empty where nothing speaks for
    it."""


@dataclass(frozen=True, slots=True)
class NoteSeen:
    """A note that was read. The text itself never leaves the notes room un-de-identified."""

    reference: str
    """``DocumentReference/{id}``, or another kind of note, on the EHR's FHIR server."""
    title: str
    written: date | None
    digest: str
    """SHA-256 of the document's bytes."""


@dataclass(frozen=True, slots=True)
class ImageReading:
    """One image or one series of slices, scored."""

    study: StudySeen
    score: PartScore
    key_slices: Mapping[str, KeySlice] = field(default_factory=dict)
    """Of a series, by finding key."""
    lacking: tuple[str, ...] = ()
    """What was not imaged, and where nobody could look, each in a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class NoteReading:
    """Notes, de-identified and scored together."""

    notes: tuple[NoteSeen, ...]
    score: PartScore
    unread: int = 0
    """How many notes there were that could not be read."""
    withheld: int = 0
    """How many could not be de-identified in time, so that no model read them."""
    lacking: tuple[str, ...] = ()
    """The kinds of note that could not be asked for, and why."""
    evidence: tuple[Evidence, ...] = ()
    """As :func:`cds.notes.evidence.evidence` orders it."""
    deidentifier: ModelVersion | None = None
    """What took the identifiers out before; ``None`` where that was patterns alone."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that the answer does without, and why, in a sentence for the clinician."""

    part: Part
    reason: str
    fault: bool = True
    """Whether something went wrong, or there simply is nothing."""
    late: bool = False
    """Whether it is under way, and will be there later."""
    region: str = "chest"
    """Of an image: the part of the body that was to be seen."""


class Level(StrEnum):
    """What a probability asks of the clinician, by the bundle's thresholds."""

    HIGH = "high"
    REVIEW = "review"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding with the probabilities that led to it, each calibrated, 0 to 1."""

    key: str
    probability: float
    level: Level
    image: float | None = None
    note: float | None = None
    interval: tuple[float, float] | None = None
    """Within which the probability lies, as :mod:`cds.fusion.confidence` has it; ``None`` where nothing is
    known."""
    key_slice: KeySlice | None = None
    """Where in a series the image speaks most for it."""
    disputed: bool = False
    """Whether image and note differ so much that a person must look, whatever the probability."""

    @property
    def type(self) -> FindingType:
        return KNOWN_FINDINGS[self.key]


@dataclass(frozen=True, slots=True)
class Prescreen:
    """The outcome of looking at one patient once; what cards and resources are made of."""

    id: str
    """UUID derived from :attr:`key`: the same inputs and models give the same prescreen."""
    key: str
    tenant: str
    patient: str
    """``Patient/{id}`` on the EHR's FHIR server."""
    fhir_server: str
    findings: tuple[Finding, ...]
    """Worst first."""
    models: tuple[ModelVersion, ...]
    """All that had a part in it: it stands until one of them is withdrawn."""
    study: StudySeen | None = None
    notes: tuple[NoteSeen, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    """Of the notes: what carried each finding, then what names one that is not there."""
    missing: tuple[Missing, ...] = ()
    issued: datetime | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by step."""

    @property
    def late(self) -> bool:
        """Whether a part is still under way."""
        return any(missing.late for missing in self.missing)

    def frame_of(self, finding: Finding) -> int | None:
        """The frame that speaks for it, from 1, where the instance has many."""
        shown = finding.key_slice or self.study
        return shown.frame if shown else None

    @property
    def explainable(self) -> list[Finding]:
        """What the image that is shown was scored for: not what another slice of a CT speaks most for."""
        scored = [finding for finding in self.findings if finding.image is not None]
        return [f for f in scored if not (f.key_slice and self.study) or f.key_slice.shown_in(self.study)]


class Verdict(StrEnum):
    """What a clinician says of what a model says."""

    AGREE = "agree"
    DISAGREE = "disagree"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A clinician's word on one finding; of a disagreement with the reason."""

    finding: str
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a clinician says of a prescreen's findings."""

    id: str
    """UUID of the act: the same sent twice is one."""
    prescreen: str
    clinician: str
    """``Practitioner/{id}`` on the EHR's FHIR server."""
    judgements: tuple[Judgement, ...]
    """In the order of the prescreen's findings."""
    comment: str

    def of(self, finding: str) -> Judgement | None:
        return next((judgement for judgement in self.judgements if judgement.finding == finding), None)


@dataclass(frozen=True, slots=True)
class Opinion(Statement):
    """What is said without a signature, of some of the findings."""

    said: datetime


@dataclass(frozen=True, slots=True)
class Review(Statement):
    """A prescreen's report, read and signed by a clinician: each finding is judged."""

    signed: datetime
