"""Where a text names a finding: the words that clinicians use for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

MOST = 20
"""Mentions of one finding in a sentence: one that has more says nothing with them."""

_WORDS: Mapping[str, str] = {
    "atelectasis": r"atelecta\w+|(?:lobar|lobe|lung|segmental) collapse|collapse of the \w+ \w+ lobe|volume loss",
    "cardiomegaly": (
        r"cardiomegaly|(?:cardiac|heart) enlargement|(?:enlarged|big|large) (?:heart|cardiac \w+)|"
        r"(?:heart|cardiac silhouette|heart size) (?:is |are )?(?:\w+ly )?enlarged"
    ),
    "consolidation": r"consolidat(?:ion|ions|ed|ive)(?! (?:therapy|of (?:callus|medications)))",
    "edema": (
        r"(?:pulmonary|interstitial|alveolar|lung|cardiogenic|overt|frank|flash) (?:o?edema)|"
        r"(?:vascular|pulmonary) congestion|congestive (?:heart )?failure|chf\b|adhf\b|"
        r"(?:decompensated|acute) heart failure|fluid overload|volume overload"
    ),
    "effusion": (
        r"(?<!joint )(?<!knee )(?<!pericardial )(?<!elbow )(?<!hip )(?<!ear )effusions?"
        r"(?! (?:of|in) the (?:right |left )?(?:knee|hip|elbow|ear))|pleural fluid|hydrothorax|hemothorax|empyema|"
        r"(?:hydro|ha?emo|pyo)pneumothora(?:x|ces)"
    ),
    "emphysema": (
        r"(?<!subcutaneous )(?<!surgical )(?<!mediastinal )emphysem\w+|hyperinflat\w+|hyperexpan\w+|bullous \w+"
    ),
    "fibrosis": (
        r"(?:pulmonary|lung|interstitial|basal|basilar|bibasilar) fibro\w+|fibrotic (?:lung|change)\w*|"
        r"fibrosis of (?:the )?lungs?|interstitial lung disease|\bild\b|\bipf\b|\buip\b|honeycomb\w+"
    ),
    "hernia": r"(?:hiat\w+|paraesophageal|diaphragmatic|sliding) hernia\w*|intrathoracic stomach",
    "infiltration": (
        r"infiltrat(?:e|es|ion|ions)\b(?! (?:with|of (?:the liver|local)))|opacit(?:y|ies)|airspace disease"
    ),
    "mass": (
        r"(?<!breast )(?<!abdominal )(?<!ovarian )(?<!adnexal )(?<!renal )(?<!pelvic )(?<!muscle )(?<!body )"
        r"\bmass(?:es)?\b(?! index)|lung (?:cancer|tumou?r|malignancy|neoplasm)|bronchogenic \w+|"
        r"pancoast tumou?r|nsclc\b"
    ),
    "nodule": (
        r"(?<!thyroid )(?<!skin )(?<!prostate )(?<!liver )(?<!subcutaneous )nodul(?:e|es|ar (?:density|opacity))"
    ),
    "pleural_thickening": r"pleural (?:thickening|plaques?|scarring|rind)|apical cap\w*|thickened pleura",
    "pneumonia": r"(?:broncho)?pneumonias?(?! (?:vaccine|shot))|\bpna\b|\bcap\b|\bvap\b|\bhap\b",
    "pneumothorax": r"(?:hydro|ha?emo|pyo)?pneumothora(?:x|ces)|\bptx\b|collapsed (?:\w+ )?lung",
}
_NAMED = {key: re.compile(rf"\b(?:{words})", re.IGNORECASE) for key, words in _WORDS.items()}


@dataclass(frozen=True, slots=True)
class Mention:
    """``text[start:end]`` names ``finding``."""

    finding: str
    start: int
    end: int


def mentions(sentence: str) -> Iterator[Mention]:
    """Finding by finding, each as often as it is named, up to ``MOST`` times."""
    for finding, words in _NAMED.items():
        for match in islice(words.finditer(sentence), MOST):
            yield Mention(finding, match.start(), match.end())
