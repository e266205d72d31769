"""Short forms and turns of phrase in the words that the note model has learnt.

Clinicians write ``small b/l effs`` and ``no increase in the nodule``. A small network reads the first as nothing
and the second as a denial; spelled out it reads both well. Rules of language: what is said stays what it was.
"""

from __future__ import annotations

import re

_SHORT = {
    r"b/l|bilat": "bilateral",
    r"w/(?!o\b)": "with ",
    r"effs": "effusions",
    r"eff": "effusion",
    r"opacs": "opacities",
    r"infils": "infiltrates",
    r"pntx": "PTX",
    r"cardiomeg": "cardiomegaly",
    r"atelect|atelec": "atelectasis",
    r"bronchopna": "bronchopneumonia",
    r"c/t ratio": "CTR",
    r"cor(?= is\b)": "heart",
    r"sub-? ?q(?= (?:air|emphysema)\b)": "subcutaneous",
    r"yest": "yesterday",
}
DENIED = (
    r"(?:no|none|nil|neg(?:ative)?|absent|(?:no|none|not) (?:seen|present|identified|visible|evident|noted)|"
    r"there (?:is|are) none|no evidence)(?= *(?:[.,;!]|$))"
)
"""The answer to a question that denies what was asked and says nothing else."""
_CHANGE = r"(?:change|increase|worsening|progression|enlargement|growth)(?: in (?:the )?size)?"
_SAID: tuple[tuple[re.Pattern[str], str], ...] = (
    *(
        (re.compile(rf"\b(?:{short})(?<=/)|\b(?:{short})(?![\w/])", re.IGNORECASE), words)
        for short, words in _SHORT.items()
    ),
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
    (re.compile(r"(?<![\w+])\+ ?CM\b", re.IGNORECASE), "cardiomegaly"),
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
