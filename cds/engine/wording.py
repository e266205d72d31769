"""Short forms and turns of phrase in the words that the note model has learnt.

Clinicians write ``small b/l effs`` and ``no increase in the nodule``. A small network reads the first as nothing
and the second as a denial; spelled out it reads both well. Rules of language: what is said stays what it was.
"""

from __future__ import annotations

import re

_NERVE = r"(?: distribution| sens\w*| nerve| block| palsy| neur\w*| ok| intact)\b"
_SEEN = r" *(?:[.,;)]|$)| (?:in|at|or|and|on|vs)\b| (?:[rl][uml]l|[rl]|left|right|bilat\w*)\b"
_SHORT = {
    r"b/l|bilat": "bilateral",
    r"(?<!/)w/(?!o\b)": "with ",
    r"effn?s": "effusions",
    r"effn?(?! *\d)": "effusion",
    r"opacs": "opacities",
    r"infils": "infiltrates",
    rf"infil(?:tr)?(?={_SEEN})": "infiltrate",
    r"pulm": "pulmonary",
    r"hcap": "healthcare-associated pneumonia",
    r"pneumo(?= \d+ ?%)": "pneumothorax",
    r"lv(?= enlarge)": "left ventricular",
    r"pntx": "PTX",
    r"cardiomeg(?:ly|ally)?": "cardiomegaly",
    r"abx": "antibiotics",
    r"usual interstitial pneumonia(?: \(UIP\))?": "UIP",
    rf"spn(?! of the pancreas)(?!{_NERVE})": "solitary pulmonary nodule",
    r"spns": "solitary pulmonary nodules",
    r"atelect|atelec|atx(?! (?:\d|for |wean|dose|daily|bid|mg))": "atelectasis",
    r"consol(?:id)?": "consolidation",
    r"bronchopna": "bronchopneumonia",
    r"c/?t ratio": "CTR",
    r"cor(?= is\b)": "heart",
    r"sub-? ?q(?= (?:air|emphysema)\b)": "subcutaneous",
    r"yest": "yesterday",
}
_RATIO = r"(?:CTR|cardiothoracic ratio)(?: is| of| =)? *"
_HALF = r"(?:0?\.50?|50 ?%|one half)(?![\d%])"
_SIGNS = {
    r"blebs\b(?!.{0,30}\b(?:skin|eyes?|foot|feet|hands?|legs?|arms?)\b)": "bullae",
    r"bleb(?= (?:in|at) the (?:(?:right|left) )?(?:apex|lung|upper|lower|middle)\b| [rl][uml]l\b)": "bulla",
    r"micro-?(?=nodul)": "small ",
    r"vanishing lung(?: syndrome)?": "bullous emphysema",
    r"honeycomb (?:cysts?|changes?|pattern)": "honeycombing",
    r"(?:plate-?like|discoid) (?:densit(?:y|ies)|opacit(?:y|ies)|bands?)": "plate-like atelectasis",
    r"air[- ]bronchograms?": "air bronchograms",
    r"cephali[sz]ed (?:flow|vessels|vasculature)": "cephalization of flow",
    r"ground[- ]glass(?: attenuation| changes?)?(?= *(?:[.,;]|(?:in|or|and|is|are|not)\b|$))": (
        "ground glass opacities"
    ),
    r"haziness(?= (?:in|at|of|over) (?:the |both )?(?:(?:left|right) )?(?:lower|upper|mid|lungs?|bases?)\b)": (
        "hazy opacity"
    ),
    r"lung is down(?= on the|[.,;]|$)": "lung is collapsed",
    r"hepati[sz]ation(?! of the gallbladder)": "consolidation",
    r"bat[- ]?wing (?:pattern|appearance|distribution)": "bat-wing perihilar opacities",
    r"(?<!air )(?<!carman )(?<!ghost )meniscus sign(?!.{0,30}\bknee)": "fluid meniscus",
    r"(?<!air and )(?<!air or )fluid (?:with)?in (?:the )?pleural (?:space|cavity)": "pleural effusion",
    r"pleural collection": "pleural effusion",
    r"(?<!fluid and )(?<!fluid or )air (?:with)?(?:in|under|beneath) (?:the )?(?:visceral )?"
    r"pleura(?:l (?:space|cavity))?\b": "pneumothorax",
    r"globular (?=heart|cardiac)": "enlarged globular ",
    r"(?:thickened )?septal lines": "Kerley lines",
    rf"{_RATIO}(?=(?:0?\.(?:5[1-9]|[6-9]\d?)|(?:5[1-9]|[6-9]\d) ?%) *(?:[;)]|\.?$))": "CTR increased at ",
    rf"{_RATIO}(?:>|above|over|greater than|more than|exceed(?:s|ing)) ?{_HALF}": "CTR increased",
    rf"{_RATIO}(?:<|below|under|less than) ?{_HALF}": "CTR not increased",
}
"""What is seen, in the name that it has: a noun for a noun, so that a denied sign is a denied finding."""
_NO_FIBROSIS = (
    r"^(?!.*(?:fibro|\bild\b|\bipf\b|interstitial lung|reticul|honeycomb))(?P<before>.*?)"
    r"(?<!indeterminate for )(?<!inconsistent with )"
)
"""A denied pattern denies no fibrosis that is named beside it."""
_FIBROTIC = (
    (r"uip\b(?: pattern)?", "pulmonary fibrosis with UIP pattern"),
    ("traction bronchiectasis", "pulmonary fibrosis"),
)
DENIED = (
    r"(?:no|none|nil|neg(?:ative)?|absent|(?:no|none|not) (?:seen|present|identified|visible|evident|noted)|"
    r"there (?:is|are) none|no evidence)(?= *(?:[.,;!]|$))"
)
"""The answer to a question that denies what was asked and says nothing else."""
ECHOED = (
    r"\b(?P<asked>[^\W\d_]+)\?+\s*"
    r"(?P<answer>no (?:(?:evidence of|definite|discrete|focal|suspicious|visible|lung|pulmonary|pleural|acute) )*"
    r"(?P=asked)(?: (?:seen|present|identified|visible|evident|noted))?)(?= *(?:[.,;!]|$))"
)
"""An answer that denies what was asked in the same word."""
_CHANGE = r"(?:change|increase|worsening|progression|enlargement|growth)(?: in (?:the )?size)?"
_STATES = r"(?i:stable|unchanged|mild|moderate|marked|severe|persist|improv|worse)"
_SAID: tuple[tuple[re.Pattern[str], str], ...] = (
    *(
        (re.compile(rf"\b(?:{short})(?<=/)|\b(?:{short})(?![\w/])", re.IGNORECASE), words)
        for short, words in _SHORT.items()
    ),
    *((re.compile(rf"{_NO_FIBROSIS}\b{sign}", re.IGNORECASE), rf"\g<before>{name}") for sign, name in _FIBROTIC),
    *((re.compile(rf"\b(?:{sign})", re.IGNORECASE), name) for sign, name in _SIGNS.items()),
    (
        re.compile(
            rf"\bno (?:evidence of )?(?:(?:significant|sig|appreciable|further|interval) )*{_CHANGE} (?:of|in) "
            r"(?:the |an? )?(?!(?:interstitial |lung |pulmonary )?(?:markings|vascularity))",
            re.IGNORECASE,
        ),
        "unchanged ",
    ),
    (
        re.compile(r"\b(?:has|have) not (?:yet |fully |completely )?(?:resolved|cleared)\b", re.IGNORECASE),
        "persists",
    ),
    (
        re.compile(r"\b(?:remote|distant) (?=(?:left |right |[rl] )?(?:ptx|pneum|pna))", re.IGNORECASE),
        "history of ",
    ),
    (re.compile(r", (?:now|since) (?:gone|resolved|cleared)(?= *(?:[.;]|$))", re.IGNORECASE), " has resolved"),
    (
        re.compile(
            r"^lung sliding(?: is)? (?:(?:present|intact|seen)(?: bilat\w*)?|bilat\w*)(?: on m-mode)?"
            r"(?= *(?:[.;(]|$))",
            re.IGNORECASE,
        ),
        "no pneumothorax",
    ),
    (re.compile(r"(?<![\w+])\+ ?CM\b", re.IGNORECASE), "cardiomegaly"),
    (
        re.compile(
            rf"(?P<before>^(?=CM (?:is |remains )?(?:{_STATES}))|"
            r"\b(?i:mild|moderate|severe|marked|stable|unchanged|known) |"
            r"\b(?i:no) (?=CM *(?:[.,;]|$| (?i:or|and|seen|on)\b)))CM\b"
            r"(?! (?i:above|below|from|to|in|x|deep|proximal|distal)\b)(?!.{0,40}\b(?:LV)?EF\b)"
        ),
        # Not "CM following", who manages a case.
        r"\g<before>cardiomegaly",
    ),
    (re.compile(rf"\b(?:(?:is|are) there )?(?:an? |any )?{ECHOED}", re.IGNORECASE), r"\g<answer>"),
    (
        re.compile(
            rf"\b(?:(?:is|are) there )?(?:an? |any )?(?P<asked>[^\W\d_][^.,;:?]{{0,60}})\?+ *{DENIED}",
            re.IGNORECASE,
        ),
        r"no \g<asked>",
    ),
    (re.compile(r"\bas a (?:child|kid|teen(?:ager)?|baby|infant)\b", re.IGNORECASE), "years ago"),
)


def spelled_out(text: str) -> str:
    """``text`` with short forms written out, a denied change as "unchanged" and an old disease as history;
    of a question that is answered by no, the denial.
    """
    for written, words in _SAID:
        text = written.sub(words, text)
    return " ".join(text.split())


_AIR_AND_FLUID = re.compile(r"\b(?:hydro|ha?emo|pyo)pneumothora(?:x|ces)\b", re.IGNORECASE)


def each_alone(text: str) -> list[str]:
    """``text``, or, where one word of it names two findings, ``text`` once for each of them."""
    if not _AIR_AND_FLUID.search(text):
        return [text]
    return [_AIR_AND_FLUID.sub(named, text) for named in ("pneumothorax", "pleural effusion")]
