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
    (re.compile(r"\bas a (?:child|kid|teen(?:ager)?|baby|infant)\b", re.IGNORECASE), "years ago"),
)


def spelled_out(text: str) -> str:
    """``text`` with short forms written out, a denied change as "unchanged" and an old disease as history."""
    for written, words in _SAID:
        text = written.sub(words, text)
    return " ".join(text.split())
