"""Which sentences of a note can say something of the chest: a cheap look at their words.

What has none of these words is not read: it costs time, and what a model of chests makes of knees means nothing.
What that loses is measured: see the model's card.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cds.engine.sentences import Sentence

_NAMES = re.compile(
    r"atelect|cardiomeg|consolidat|emphysem|fibro|hernia|infiltrat|opaci|pneum|pna\b|ptx\b|effusion|edema|oedema|"
    r"pleur|nodul|\bmass|tumou?r|carcinoma|neoplas|malignan|cancer|\bchf\b|heart failure|congest|interstit|"
    r"collaps|costophrenic|silhouette|infect|copd|hyperinfl|overinfl|lesion|spiculat|bull[ao]|blunt|densit|shadow|"
    r"empyem|airspace|air[ -]space|volume (?:loss|overload)|adhf\b|\b(?:[cv]|hc?)ap\b|\bhh\b|growth|"
    r"ground[ -]glass|"
    r"\beffn?s?\b|\bggos?\b|\blvf\b|\bctr\b|cephali[sz]|\bnsip\b|\bp[cj]p\b|\blrti\b|bronchogenic|cannonball|\bspns?\b|"
    r"(?:four|4)-chamber|c/?t ratio|\bcor is\b|\+ ?cm\b|\batx\b|\bconsol|\bblebs?\b|"
    r"(?:^|\b(?:no|mild|moderate|severe|marked|stable|unchanged|known) )cm\b|cuffing|septal (?:line|thick)|"
    r"interlobular|bat[- ]?wing|meniscus sign|traction bronch|\b[lr]v enl|hepati[sz]ation",
)
_CHEST = re.compile(
    r"lung|pulm|chest|thora|heart|cardi|ventric|hil[au]|mediastin|diaphragm|lobe|lobar|\b[rl][lmu]l\b|lingul|"
    r"\bba[sz][ei]|basilar|basal|apex|apic|zone|cxr|x-?ray|radiograph|\bct\b|\bfilm|ultrasound|echo|\bpocus\b|"
    r"breath|dyspn|\bsob\b|cough|sputum|phlegm|crack|rale|rhonch|wheez|velcro|percuss|resonan|dull|egoph|fremitus|"
    r"air entry|air (?:leak|in|movement)|orthopn|\bpnd\b|\bjv[dp]\b|neck veins|gallop|\bs3\b|\b(?:pro)?bnp\b|"
    r"oxygen|hypox|\bsats?\b|fever|febrile|rigors|pleuritic|hemopt|froth|fluid|drain|chest tube|pigtail|"
    r"\btap(?:ped)?\b|clubb|trachea|stomach|gastric|diure|lasix|furosemide|smok|pack[- ]y|spiromet|"
    r"\bfev1\b|\bfvc\b|dlco|reticul|"
    r"honeycomb|asbest|scar|aerat|expan|\bvascul|vessel|kerley|perihilar|retrocardiac|granulom|antibiotic|cef|"
    r"weight loss|lost \d+|hoarse|\bild\b|\bipf\b|\buip\b|\bnsclc\b|plaque|callus|\brind\b|"
    r"sulcus|sulci|recess|\bangles?\b|secretion|\btemp|windpipe|\batel|\bemp|\bemh|\binf[il]|iniltr|cariom|cardom|"
    r"crepit|diminish|lucen|sliding|\bair\b|\bribs?\b|scapul|shoulder blade|\bgsw\b|\bstab",
)
_ELSEWHERE = re.compile(
    r"\b(?:knees?|elbows?|ankles?|hips?|shoulders?|wrists?|joints?|dis[ck]s?|vertebra\w*|lumbar|spin(?:e|al)|cervical|"
    r"inguinal|umbilical|ventral|incisional|thyroid|prostate|testic\w+|scrot\w+|ovar\w+|uter\w+|pelvi[cs]|renal|kidneys?|"
    r"brain|cerebral|parietal|cranial|ears?|middle ear|sinus(?:es)?|tonsils?|scalp|toes?|foot|feet|legs?|pedal|"
    r"hands?|fingers?|thumbs?|palmar|plantar|heels?|olecranon|pulley|tibia\w*|fibula\w*|humer(?:us|al)|femurs?|"
    r"facets?|csf|shoes?|hippocamp\w+|carotids?|basilic|sacr(?:um|al)|mitral|tricuspid|eyes?|retina\w*|cornea\w*|teeth|tooth|dental|gingiv\w+|"
    r"tongue|duoden\w+|colon\w*|c(?:ec|aec)(?:um|al)|rect(?:um|al|osigmoid)|sigmoid|polyps?|appendi\w+|"
    r"(?:gall)?bladder|pancrea\w+|peritone\w+|ascites|placenta\w*|fetal|fetus|nev(?:us|i)|"
    r"breasts?)\b",
)
_THORAX = re.compile(
    r"lung|pulm|chest|thora|heart|cardi|pleur|hil[au]|mediastin|diaphragm|lobe|lobar|\b[rl][lmu]l\b|lingul|basilar|"
    r"apic|cxr|airspace|pneum|breath|bronch|costophrenic|hiat|\bair\b|airway|\bribs?\b|\brales?\b|crackle|cough|sputum|hemopt|"
    r"dyspn|orthopn|\bjv[dp]\b|bnp\b|\bs3\b|\bproject(?:s|ing|ed)\b|shadow|attenuation|infiltrat|"
    r"consolidat|atelect|\btubes?\b|\btip\b|\blines?\b|catheter|cannula|\bpicc\b|oxygen|hypox|intubat|ventilat",
)
"""A finding's word beside a place of the body that is not in the chest, and none that is: "knee effusion".

Tubes, lines and oxygen go with the chest, wherever they enter.
"""
_FIELD = re.compile(
    r"\b(?:heart|cardiac|cardiomediastinal|mediastinum|lungs?|pleura\w*|diaphragms?|vascularity)\b"
)
"""Of a report in fields: under "heart" a word such as "enlarged" says enough."""


def most_relevant(found: Sequence[Sentence], most: int) -> list[Sentence]:
    """At most ``most`` of those of ``found`` that can say something of the chest, in their order.

    What names a finding goes before what only speaks of the chest, and earlier before later.
    """
    ranks = [_rank(sentence) for sentence in found]
    chosen = sorted((rank, i) for i, rank in enumerate(ranks) if rank < _NOTHING)[:most]
    return [found[i] for i in sorted(i for _, i in chosen)]


_NOTHING = 2


def _rank(sentence: Sentence) -> int:
    # To look for small letters in small letters takes a quarter of what it takes to look for either in both.
    said, heading = sentence.text.lower(), sentence.heading
    if _ELSEWHERE.search(f"{heading} {said}") and not _THORAX.search(said):
        return _NOTHING
    if _NAMES.search(said) or _NAMES.search(heading):
        return 0
    return 1 if _CHEST.search(said) or _FIELD.search(heading) else _NOTHING
