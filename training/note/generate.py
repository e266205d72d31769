"""Clinical notes written by code: phrases from a bank, put together in the ways clinicians write.

A note's label for a finding is 1 where the condition is present now (affirmed or strongly suspected), 0 where it
is denied, past, someone else's, only asked about, or not mentioned, a value between where the writer is in two
minds, and ``nan`` where the words leave it open and nothing may be learnt.
"""

from __future__ import annotations

import math
import random
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cds.findings import FINDINGS

BANKS = Path(__file__).parent / "banks"
KEYS = tuple(FINDINGS)
UNDECIDED = 0.4
"""The label of "possible" and "cannot exclude"."""

OPEN = {
    "atelectasis": ("infiltration",),
    "cardiomegaly": ("edema",),
    "consolidation": ("pneumonia", "infiltration"),
    "edema": ("cardiomegaly", "infiltration", "effusion"),
    "infiltration": ("pneumonia", "consolidation"),
    "mass": ("nodule",),
    "nodule": ("mass",),
    "pleural_thickening": ("effusion",),
    "pneumonia": ("infiltration", "consolidation"),
    "pneumothorax": ("atelectasis",),
}
"""What the words for one finding leave open about others: their labels are masked."""

OFTEN = {"pneumothorax": 2.2, "pneumonia": 2.2, "edema": 1.7, "effusion": 1.5}
"""Findings that clinicians describe without naming them need more examples."""

STYLES: Mapping[str, Sequence[tuple[str, str, float]]] = {
    "snippet": (("", "body", 1.0),),
    "radiology": (
        ("", "openings", 0.3),
        ("", "hypothetical", 0.3),
        ("FINDINGS:", "body", 1.0),
        ("", "hardware", 0.6),
        ("", "chest_normal", 0.3),
        ("IMPRESSION:", "body", 0.7),
        ("", "closings", 0.3),
    ),
    "emergency": (
        ("", "openings", 0.8),
        ("HPI:", "complaints", 0.8),
        ("", "real", 0.3),
        ("PMH:", "history", 0.6),
        ("Meds:", "medications", 0.5),
        ("Social:", "social", 0.4),
        ("Family history:", "family", 0.3),
        ("PHYSICAL EXAM:", "vitals", 0.8),
        ("", "exam", 0.6),
        ("", "chest_normal", 0.6),
        ("", "distress", 0.3),
        ("Assessment:", "body", 1.0),
        ("PLAN:", "plan", 0.8),
        ("", "closings", 0.5),
    ),
    "progress": (
        ("", "openings", 0.6),
        ("S:", "real", 0.6),
        ("", "complaints", 0.4),
        ("O:", "vitals", 0.8),
        ("", "body", 1.0),
        ("", "exam", 0.6),
        ("", "chest_normal", 0.5),
        ("A/P:", "body", 0.5),
        ("", "real", 0.4),
        ("", "plan", 0.7),
        ("", "closings", 0.4),
    ),
    "nursing": (
        ("", "vitals", 0.6),
        ("", "complaints", 0.5),
        ("", "body", 1.0),
        ("", "plan", 0.4),
        ("", "closings", 0.4),
    ),
    "referral": (
        ("", "openings", 0.9),
        ("Reason for referral:", "complaints", 0.6),
        ("", "body", 1.0),
        ("", "real", 0.5),
        ("", "history", 0.6),
        ("", "hypothetical", 0.4),
        ("", "plan", 0.4),
        ("", "closings", 0.7),
    ),
}
STYLE_WEIGHTS = {"snippet": 30, "radiology": 20, "emergency": 15, "progress": 12, "nursing": 13, "referral": 10}


def _written_date(r: random.Random) -> str:
    day = date(2018, 1, 1) + timedelta(days=r.randrange(3000))
    return day.strftime(r.choice(("%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d", "%B %d, %Y", "%b %d", "%d-%b-%Y")))


SLOTS: Mapping[str, Callable[[random.Random], str]] = {
    "side": lambda r: r.choice(("left", "right", "left", "right", "L", "R")),
    "lobe": lambda r: r.choice(
        (
            *("right lower lobe", "left lower lobe", "right upper lobe", "left upper lobe", "right middle lobe"),
            *("RLL", "LLL", "RUL", "LUL", "RML", "lingula", "right base", "left base"),
        )
    ),
    "age": lambda r: r.choice(("90+", *map(str, range(4, 90)))),
    "sex": lambda r: r.choice(("man", "woman", "male", "female", "gentleman", "lady")),
    "s": lambda r: r.choice(("M", "F", "male", "female")),
    "date": _written_date,
    "time": lambda r: f"{r.randrange(24):02d}:{r.randrange(60):02d}",
    "n": lambda r: str(r.randint(2, 9)),
    "hr": lambda r: str(r.randint(58, 128)),
    "rr": lambda r: str(r.randint(12, 30)),
    "bp": lambda r: f"{r.randint(92, 178)}/{r.randint(52, 98)}",
    "spo2": lambda r: str(r.randint(88, 100)),
}

TELEGRAPHIC = (
    (re.compile(r"\b(There is|There are|The|the|A|a|an|is|are|was|has)\s+"), ""),
    (re.compile(r"\bpatient\b", re.I), "pt"),
    (re.compile(r"\bwithout\b"), "w/o"),
    (re.compile(r"\bwith\b"), "w/"),
    (re.compile(r"\bhistory of\b", re.I), "h/o"),
    (re.compile(r"\bbilateral(ly)?\b"), "b/l"),
)


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    labels: Mapping[str, float]


@dataclass(slots=True)
class Draft:
    """A note while it is being written."""

    sentences: list[str] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)

    def labels(self) -> dict[str, float]:
        values = dict.fromkeys(KEYS, 0.0)
        for key in self.present | self.undecided:
            values.update(dict.fromkeys(OPEN.get(key, ()), math.nan))
        values.update(dict.fromkeys(self.undecided, UNDECIDED))
        values.update(dict.fromkeys(self.present, 1.0))
        return values


class Writer:
    """Writes notes from one bank; ``real`` are sentences of real notes that state none of the findings."""

    def __init__(self, bank: str, *, seed: int, real: Sequence[str] = ()) -> None:
        self._bank: dict[str, Any] = tomllib.loads((BANKS / f"{bank}.toml").read_text())
        self._random = random.Random(seed)
        self._real = real

    def note(self) -> Note:
        """One note with its labels."""
        draft = self._findings()
        style = self._random.choices(list(STYLE_WEIGHTS), list(STYLE_WEIGHTS.values()))[0]
        text = self._layout(STYLES[style], draft)
        if style in ("nursing", "snippet") or self._random.random() < 0.15:
            text = self._telegraphic(text)
        return Note(text, draft.labels())

    def statement(self) -> Note:
        """A single statement about one finding: what is learnt first, and at little cost."""
        draft, r = Draft(), self._random
        if r.random() < 0.5:
            self._affirm(draft, r.choice(KEYS))
        elif r.random() < 0.75:
            self._mention(draft, r.choice(KEYS))
        else:
            self._deny_many(draft)
        text = " ".join(draft.sentences[:1]) if len(draft.present) == 1 else " ".join(draft.sentences)
        return Note(self._telegraphic(text) if r.random() < 0.3 else text, draft.labels())

    def _findings(self) -> Draft:
        """What the note says about findings: those present, and those it denies or mentions in passing."""
        draft, r = Draft(), self._random
        count = r.choices((0, 1, 2, 3), (42, 40, 14, 4))[0]
        for key in set(r.choices(KEYS, [OFTEN.get(k, 1) for k in KEYS], k=count)):
            self._affirm(draft, key)
        absent = [k for k in KEYS if k not in draft.present]
        for key in r.sample(absent, r.choices((0, 1, 2, 3, 4), (22, 30, 24, 16, 8))[0]):
            self._mention(draft, key)
        if r.random() < 0.25:
            self._deny_many(draft)
        if r.random() < 0.15:
            self._reassure(draft)
        if not draft.sentences:
            draft.sentences.append(self._context("chest_normal"))
        r.shuffle(draft.sentences)
        return draft

    def _affirm(self, draft: Draft, key: str) -> None:
        finding, r = self._bank["findings"][key], self._random
        draft.present.add(key)
        for _ in range(r.choices((1, 2), (75, 25))[0]):
            kind = r.choices(
                ("affirmed", "reports", "pictures", "clues", "suspected", "known"),
                (30, 24, 10, 24 if "signs" in finding else 0, 14, 12 if finding.get("chronic") else 0),
            )[0]
            if kind == "clues":
                draft.sentences.append(self._filled(self._picture(finding)))
                continue
            sentence, _, others = (
                r.choice(finding[kind]) if kind in finding else self._framed(kind, key)
            ).partition(" || ")
            draft.present.update(others.split())
            draft.sentences.append(self._filled(sentence))
        if r.random() < 0.12:
            draft.sentences.append(self._filled(self._framed(r.choice(("hypothetical", "family")), key)))

    def _picture(self, finding: Mapping[str, Any]) -> str:
        """The condition by its symptoms and signs, unnamed."""
        r = self._random
        clues = r.sample(finding["symptoms"], min(len(finding["symptoms"]), r.choice((1, 1, 2))))
        clues += r.sample(finding["signs"], min(len(finding["signs"]), r.choice((1, 2, 2, 3))))
        clues += r.sample(finding["course"], r.choice((0, 0, 1)))
        if r.random() < 0.3:
            r.shuffle(clues)
        return r.choice((", ", ". ", "; ", ", ")).join(clues) + "."

    def _reassure(self, draft: Draft) -> None:
        """Symptoms that could mean something, beside an examination that says they do not."""
        r, findings = self._random, self._bank["findings"]
        key = r.choice([k for k in KEYS if "symptoms" in findings[k]])
        if key in draft.present | draft.undecided:
            return
        signs = r.sample(findings[key]["clears"], min(2, len(findings[key]["clears"])))
        draft.sentences.append(self._filled(" ".join((r.choice(findings[key]["symptoms"]) + ".", *signs))))

    def _mention(self, draft: Draft, key: str) -> None:
        """Say something of ``key`` that does not make it present."""
        finding, r = self._bank["findings"][key], self._random
        past = 0 if finding.get("chronic") else 12
        kind = r.choices(
            ("negated", "clears", "elsewhere", "resolved", "family", "hypothetical", "uncertain"),
            (30, 16, 22, past, 12, 12, 6),
        )[0]
        if kind == "uncertain":
            draft.undecided.add(key)
        sentence = r.choice(finding[kind]) if kind in finding else self._framed(kind, key)
        draft.sentences.append(self._filled(sentence))

    def _deny_many(self, draft: Draft) -> None:
        absent = [k for k in KEYS if k not in draft.present | draft.undecided]
        names = [self._term(k) for k in self._random.sample(absent, self._random.randint(2, 4))]
        listed = ", ".join(names[:-1]) + self._random.choice((" or ", ", or ", " nor ", " and ")) + names[-1]
        frame = self._random.choice(self._bank["frames"]["negated_list"])
        draft.sentences.append(self._filled(frame.replace("{list}", listed)))

    def _layout(self, style: Sequence[tuple[str, str, float]], draft: Draft) -> str:
        bodies = sum(slot == "body" for _, slot, _ in style)
        waiting = list(draft.sentences)
        parts: list[str] = []
        for heading, slot, probability in style:
            if slot == "body":
                bodies -= 1
                cut = len(waiting) if bodies == 0 else self._random.randint(0, len(waiting))
                said, waiting = waiting[:cut], waiting[cut:]
            elif self._random.random() < probability:
                said = self._said(slot, draft)
            else:
                said = []
            if said:
                parts.append(" ".join(([heading] if heading and self._random.random() < 0.6 else []) + said))
        return self._random.choice(("\n", " ", "\n\n")).join(parts)

    def _said(self, slot: str, draft: Draft) -> list[str]:
        if slot == "real":
            return self._random.sample(self._real, min(len(self._real), self._random.randint(2, 7)))
        if slot == "chest_normal" and (draft.present or draft.undecided):
            return []
        if slot in ("family", "hypothetical"):
            return [self._filled(self._framed(slot, self._random.choice(KEYS)))]
        return [self._context(slot)]

    def _context(self, slot: str) -> str:
        return self._filled(self._random.choice(self._bank["context"][slot]))

    def _framed(self, kind: str, key: str) -> str:
        sentence = self._random.choice(self._bank["frames"][kind]).replace("{t}", self._term(key))
        return sentence[0].upper() + sentence[1:]

    def _term(self, key: str) -> str:
        return self._random.choice(self._bank["findings"][key]["terms"])

    def _filled(self, sentence: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: SLOTS[m[1]](self._random), sentence)

    def _telegraphic(self, text: str) -> str:
        for pattern, short in TELEGRAPHIC:
            if self._random.random() < 0.6:
                text = pattern.sub(short, text)
        return text
