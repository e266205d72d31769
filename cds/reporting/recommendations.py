"""Which tests would settle a finding, or what a value leaves open, and why: small tables, no model's opinion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from cds.findings import Finding, Level


@dataclass(frozen=True, slots=True)
class Examination:
    """A test that can be ordered."""

    display: str
    loinc: str = ""
    """Empty where no one code says it."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A test, the reasons for it, and the findings that give them, worst first."""

    test: Examination
    reasons: tuple[str, ...]
    findings: tuple[str, ...]


_RADIOGRAPH = Examination("Chest radiograph, 2 views", "36643-5")
_CT = Examination("CT of the chest", "24627-2")
_PULMONARY_ANGIOGRAPHY = Examination("CT pulmonary angiography")
_CULTURE = Examination("Blood culture", "600-7")
_PROCALCITONIN = Examination("Procalcitonin", "33959-8")
_BNP = Examination("NT-proBNP", "33762-6")
_ECHOCARDIOGRAM = Examination("Echocardiogram")
_ULTRASOUND = Examination("Ultrasound of the chest")
_SPIROMETRY = Examination("Spirometry")
_SWALLOW = Examination("Upper gastrointestinal series")

_INFECTION = (
    (_RADIOGRAPH, "Pneumonia is diagnosed by an infiltrate on chest imaging (ATS/IDSA 2019)."),
    (_CULTURE, "Before antibiotics where pneumonia is severe (ATS/IDSA 2019)."),
)
_OPACITY = ((_RADIOGRAPH, "Two views show where an opacity lies and whether it is new."),)
_SHADOW = ((_CT, "Size, margin and calcification decide on follow-up (Fleischner 2017)."),)

TESTS: Mapping[str, tuple[tuple[Examination, str], ...]] = {
    "atelectasis": ((_RADIOGRAPH, "Volume loss shows by displaced fissures and hila on two views."),),
    "cardiomegaly": ((_ECHOCARDIOGRAM, "Tells chamber enlargement and function from pericardial effusion."),),
    "consolidation": _OPACITY,
    "edema": (
        (_RADIOGRAPH, "Shows congestion and effusions, and other causes of dyspnea (ESC 2021)."),
        (_BNP, "A low value makes heart failure unlikely (ESC 2021)."),
        (_ECHOCARDIOGRAM, "Ventricular and valvular function guide treatment (ESC 2021)."),
    ),
    "effusion": (
        (_RADIOGRAPH, "The lateral view shows smaller effusions than the frontal one."),
        (_ULTRASOUND, "Finds loculation and marks the site for aspiration (BTS 2023)."),
    ),
    "emphysema": (
        (_SPIROMETRY, "Airflow limitation must be shown for the diagnosis of COPD (GOLD)."),
        (_RADIOGRAPH, "Shows other causes of dyspnea (GOLD)."),
    ),
    "fibrosis": ((_CT, "The pattern on high-resolution CT leads to the diagnosis (ATS/ERS 2022)."),),
    "hernia": ((_SWALLOW, "Shows what lies above the diaphragm."),),
    "infiltration": _OPACITY,
    "mass": (*_SHADOW, (_RADIOGRAPH, "First, and soon, where symptoms alone raise the suspicion (NICE NG12).")),
    "nodule": _SHADOW,
    "pleural_thickening": ((_CT, "Tells plaques and thickening from effusion and tumour."),),
    "pneumonia": (*_INFECTION, (_PROCALCITONIN, "Helps to decide how long antibiotics are given.")),
    "pneumothorax": (
        (
            _RADIOGRAPH,
            "Shows the pleural line and how large it is (BTS 2023); at once where the patient is unstable.",
        ),
        (_ULTRASOUND, "At the bedside, where the patient cannot be moved."),
    ),
}
"""By finding, the most useful test first; what only a CT shows calls for none."""

BY_VALUE: Mapping[str, tuple[Examination, str]] = {
    "48065-7": (
        _PULMONARY_ANGIOGRAPHY,
        "A raised D-dimer leaves pulmonary embolism open (ESC 2019), of which nothing here is a model.",
    )
}
"""By LOINC code of what is raised: what it may mean is none of our findings."""


def recommended(findings: Iterable[Finding], raised: Collection[str] = ()) -> list[Recommendation]:
    """The tests for all findings above LOW, each once, in the order of ``findings``; then those of BY_VALUE.

    ``raised``: LOINC codes of values above their limits.
    """
    found: dict[Examination, list[tuple[str, str]]] = {}
    for finding, test, reason in _reasons(findings):
        found.setdefault(test, []).append((finding.key, reason))
    settling = [
        Recommendation(test, tuple(dict.fromkeys(reason for _, reason in given)), tuple(key for key, _ in given))
        for test, given in found.items()
    ]
    called_for = [Recommendation(test, (why,), ()) for code, (test, why) in BY_VALUE.items() if code in raised]
    return settling + called_for


def _reasons(findings: Iterable[Finding]) -> Iterator[tuple[Finding, Examination, str]]:
    for finding in findings:
        if finding.level is not Level.LOW:
            for test, reason in TESTS.get(finding.key, ()):
                yield finding, test, reason
