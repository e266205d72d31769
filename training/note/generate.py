"""Clinical notes written by code: phrases from a bank, put together in the ways clinicians write.

A label for a finding is 1 where the condition is present now (affirmed or strongly suspected), 0 where it is
denied, past, someone else's, only asked about, or not mentioned, a value between where the writer is in two minds,
and ``nan`` where the words leave it open and nothing may be learnt.
"""

from __future__ import annotations

import math
import random
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cds.findings import FINDINGS

BANKS = Path(__file__).parent / "banks"
KEYS = tuple(FINDINGS)
UNDECIDED = 0.4
"""The label of "possible" and "cannot exclude"."""

Labels = Mapping[str, float]

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
    "snippet": (("findings", "body", 1.0),),
    "radiology": (
        ("misc", "openings", 0.3),
        ("indication", "indication", 0.6),
        ("findings", "body", 1.0),
        ("findings", "hardware", 0.6),
        ("findings", "chest_normal", 0.3),
        ("impression", "body", 0.7),
        ("plan", "closings", 0.3),
    ),
    "emergency": (
        ("misc", "openings", 0.8),
        ("story", "complaints", 0.8),
        ("story", "real", 0.3),
        ("past", "history", 0.6),
        ("misc", "medications", 0.5),
        ("misc", "social", 0.4),
        ("family", "family", 0.3),
        ("exam", "vitals", 0.8),
        ("exam", "exam", 0.6),
        ("exam", "chest_normal", 0.6),
        ("exam", "distress", 0.3),
        ("impression", "body", 1.0),
        ("plan", "plan", 0.8),
        ("misc", "closings", 0.5),
    ),
    "progress": (
        ("misc", "openings", 0.6),
        ("story", "real", 0.6),
        ("story", "complaints", 0.4),
        ("exam", "vitals", 0.8),
        ("findings", "body", 1.0),
        ("exam", "exam", 0.6),
        ("exam", "chest_normal", 0.5),
        ("impression", "body", 0.5),
        ("plan", "real", 0.4),
        ("plan", "plan", 0.7),
        ("misc", "closings", 0.4),
    ),
    "nursing": (
        ("misc", "vitals", 0.6),
        ("story", "complaints", 0.5),
        ("findings", "body", 1.0),
        ("plan", "plan", 0.4),
        ("misc", "closings", 0.4),
    ),
    "referral": (
        ("misc", "openings", 0.9),
        ("indication", "complaints", 0.6),
        ("findings", "body", 1.0),
        ("story", "real", 0.5),
        ("past", "history", 0.6),
        ("indication", "indication", 0.4),
        ("plan", "plan", 0.4),
        ("misc", "closings", 0.7),
    ),
}
STYLE_WEIGHTS = {"snippet": 22, "radiology": 36, "emergency": 14, "progress": 10, "nursing": 10, "referral": 8}


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
    "zone": lambda r: (
        f"{r.choice(('left', 'right'))} {r.choice(('mid lung', 'lower lung', 'upper lung', 'lung base'))}"
    ),
    "size": lambda r: r.choice(
        ("small", "moderate", "large", "trace", "tiny", "mild", "minimal", "small to moderate", "moderately large")
    ),
    "cm": lambda r: f"{r.randint(1, 8)}.{r.randint(0, 9)}",
    "mm": lambda r: str(r.randint(3, 19)),
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
CONTRASTS = {"plain": ("pa", 58), "listed": ("paq", 18), "doubtful": ("uv", 10), "leaning": ("pu", 14)}
"""What a frame of ``contrast`` speaks of ({p}, {q} are there, {a} is not, {u}, {v} in doubt), and how often."""
MARKS = {"+": 1.0, "~": UNDECIDED, "?": math.nan}
"""How a ``mixed`` or ``structured`` sentence of a bank says what it holds of a finding."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or two, what they say, and the heading over them."""

    text: str
    labels: Labels
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    labels: Labels


@dataclass(slots=True)
class Draft:
    """What a note will say, before it is laid out."""

    body: list[Statement] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    """Findings that something was said of already."""


def labelled(present: Iterable[str] = (), undecided: Iterable[str] = ()) -> dict[str, float]:
    """Labels of a statement that holds ``present`` and is in two minds about ``undecided``."""
    values = dict.fromkeys(KEYS, 0.0)
    for key in {*present, *undecided}:
        values.update(dict.fromkeys(OPEN.get(key, ()), math.nan))
    return values | dict.fromkeys(undecided, UNDECIDED) | dict.fromkeys(present, 1.0)


def together(labels: Iterable[Labels]) -> dict[str, float]:
    """Labels of several statements: what one affirms is there, what one leaves open is open."""
    held = list(labels)
    return {key: _held([one[key] for one in held]) for key in KEYS}


def _held(values: Sequence[float]) -> float:
    if 1.0 in values:
        return 1.0
    return math.nan if any(math.isnan(v) for v in values) else max(values, default=0.0)


class Bank:
    """The files of one folder of ``banks``, their lists put together."""

    def __init__(self, name: str) -> None:
        self._parts: dict[str, Any] = {}
        for file in sorted((BANKS / name).glob("*.toml")):
            _merge(self._parts, tomllib.loads(file.read_text()))

    def __getitem__(self, part: str) -> Any:
        return self._parts[part]

    def finding(self, key: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._parts["findings"][key]
        return found


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = into[name] + value if name in into else value


class Writer:
    """Writes from one bank; ``real`` are sentences of real notes that state none of the findings."""

    def __init__(self, bank: str, *, seed: int, real: Sequence[Statement] = ()) -> None:
        self._bank = Bank(bank)
        self._random = random.Random(seed)
        self._real = real

    def note(self) -> Note:
        """One note with its labels."""
        return self._laid_out(self.parts())

    def parts(self) -> list[Statement]:
        """The statements of one note in their order."""
        r, draft = self._random, self._findings()
        style = r.choices(list(STYLE_WEIGHTS), list(STYLE_WEIGHTS.values()))[0]
        parts = self._arranged(STYLES[style], draft)
        brief = style in ("nursing", "snippet") or r.random() < 0.15
        return [self._telegraphic(part) for part in parts] if brief else parts

    def statement(self) -> Statement:
        """A single statement, with the heading it may stand under."""
        r = self._random
        kinds = ("affirm", "mention", "mixed", "contrast", "structured", "deny", "context")
        kind = r.choices(kinds, (31, 26, 14, 11, 3, 5, 10))[0]
        key = r.choices(KEYS, [OFTEN.get(k, 1) for k in KEYS])[0]
        said = {
            "affirm": lambda: self._affirmed(key),
            "mention": lambda: self._mentioned(key),
            "mixed": self._mixed,
            "contrast": self._contrast,
            "structured": self._structured,
            "deny": lambda: self._denied(KEYS),
            "context": self._aside,
        }[kind]()
        said = self._telegraphic(said) if r.random() < 0.2 else said
        return self._misspelt(said) if r.random() < 0.05 else said

    def _findings(self) -> Draft:
        """What the note says about findings: those present, and those it denies or mentions in passing."""
        draft, r = Draft(), self._random
        count = r.choices((0, 1, 2, 3), (42, 40, 14, 4))[0]
        for key in dict.fromkeys(r.choices(KEYS, [OFTEN.get(k, 1) for k in KEYS], k=count)):
            self._add(draft, self._affirmed(key))
        for key in r.sample(KEYS, r.choices((0, 1, 2, 3, 4), (22, 30, 24, 16, 8))[0]):
            if key not in draft.settled:
                self._add(draft, self._mentioned(key))
        if r.random() < 0.25:
            self._add(draft, self._denied([k for k in KEYS if k not in draft.settled]))
        if r.random() < 0.15:
            self._add(draft, self._reassuring())
        if not draft.settled and r.random() < 0.5:
            self._add(draft, r.choice((self._mixed, self._contrast))())
        if not draft.body:
            self._add(draft, self._context("chest_normal"))
        r.shuffle(draft.body)
        return draft

    def _add(self, draft: Draft, said: Statement) -> None:
        held = {key for key, value in said.labels.items() if value != 0}
        if not held & draft.settled:
            draft.settled |= {key for key, value in said.labels.items() if value > 0}
            draft.body.append(said)

    def _affirmed(self, key: str) -> Statement:
        finding, r = self._bank.finding(key), self._random
        chronic = finding.get("chronic", False)
        kind = r.choices(
            ("affirmed", "bare", "reports", "pictures", "clues", "suspected", "known"),
            (30, 8, 32, 8, 18 if "signs" in finding else 0, 14, 12 if chronic else 0),
        )[0]
        if kind == "clues":
            return Statement(self._filled(self._picture(finding)), labelled([key]), self._heading("exam", 0.2))
        if kind == "bare":
            section = r.choice(("impression", "past")) if chronic else "impression"
            return Statement(self._bare(key), labelled([key]), self._heading(section, 1))
        text, _, others = (r.choice(finding[kind]) if kind in finding else self._framed(kind, key)).partition(
            " || "
        )
        heading = self._heading(r.choice(("findings", "impression")), 0.4)
        return Statement(self._filled(text), labelled([key, *others.split()]), heading)

    def _picture(self, finding: Mapping[str, Any]) -> str:
        """The condition by its symptoms and signs, unnamed; never by its symptoms alone."""
        r = self._random
        count = r.choice((0, 1, 1, 2))
        clues = r.sample(finding["symptoms"], min(len(finding["symptoms"]), count))
        clues += r.sample(finding["signs"], min(len(finding["signs"]), r.choice((1, 2, 2, 3)) if count else 3))
        clues += r.sample(finding["course"], r.choice((0, 0, 1)))
        if r.random() < 0.3:
            r.shuffle(clues)
        return r.choice((", ", ", ", " and ", ". ", "; ")).join(clues) + "."

    def _mentioned(self, key: str) -> Statement:
        """Something of ``key`` that does not make it present."""
        finding, r = self._bank.finding(key), self._random
        chronic = finding.get("chronic", False)
        kinds = (
            "negated",
            "clears",
            "elsewhere",
            "resolved",
            "family",
            "hypothetical",
            "uncertain",
            "open",
            "bare",
        )
        weights = (26, 18, 18, 4 if chronic else 12, 9, 12, 8, 8 if "open" in finding else 0, 9)
        kind = r.choices(kinds, weights)[0]
        if kind == "bare":
            section = r.choice(("family", "indication") if chronic else ("family", "indication", "past"))
            return Statement(self._bare(key), labelled(), self._heading(section, 1))
        text = self._filled(r.choice(finding[kind]) if kind in finding else self._framed(kind, key))
        if kind == "open":
            return Statement(text, labelled() | {key: math.nan} | dict.fromkeys(OPEN.get(key, ()), math.nan))
        section = {"family": "family", "hypothetical": "indication", "resolved": "past"}.get(kind, "findings")
        return Statement(
            text, labelled(undecided=[key] if kind == "uncertain" else []), self._heading(section, 0.4)
        )

    def _reassuring(self) -> Statement:
        """Symptoms that could mean something, beside an examination that says they do not."""
        r = self._random
        finding = self._bank.finding(r.choice([k for k in KEYS if "symptoms" in self._bank.finding(k)]))
        signs = r.sample(finding["clears"], min(2, len(finding["clears"])))
        return Statement(self._filled(" ".join((r.choice(finding["symptoms"]) + ".", *signs))), labelled())

    def _mixed(self) -> Statement:
        text, labels = self._marked("mixed")
        return Statement(text, labels, self._heading(self._random.choice(("findings", "impression")), 0.4))

    def _structured(self) -> Statement:
        """A field of a report: "Heart: Enlarged." """
        text, labels = self._marked("structured")
        heading, _, said = text.partition(": ")
        return Statement(said, labels, heading)

    def _marked(self, part: str) -> tuple[str, Labels]:
        """A sentence of a bank that says itself what it holds."""
        text, _, marks = self._random.choice(self._bank[part]["said"]).partition("||")
        return self._filled(text.strip()), labelled() | {mark[1:]: MARKS[mark[0]] for mark in marks.split()}

    def _contrast(self) -> Statement:
        """Two or three findings in one sentence, not all of them sure."""
        r = self._random
        kind = r.choices(list(CONTRASTS), [weight for _, weight in CONTRASTS.values()])[0]
        frame, slots = r.choice(self._bank["contrast"][kind]), CONTRASTS[kind][0]
        keys = dict(zip(slots, r.sample(KEYS, len(slots)), strict=True))
        for slot, key in keys.items():
            frame = frame.replace(f"{{{slot}}}", self._term(key))
        labels = labelled([keys[s] for s in slots if s in "pq"], [keys[s] for s in slots if s in "uv"])
        labels |= {keys[s]: 0.0 for s in slots if s == "a"}
        return Statement(self._sentence(frame), labels, self._heading(r.choice(("findings", "impression")), 0.3))

    def _denied(self, keys: Sequence[str]) -> Statement:
        r = self._random
        names = [self._term(k) for k in r.sample(list(keys), min(len(keys), r.randint(2, 4)))]
        listed = ", ".join(names[:-1]) + r.choice((" or ", ", or ", " nor ", " and ")) + names[-1]
        frame = r.choice(self._bank["frames"]["negated_list"]).replace("{list}", listed)
        return Statement(self._sentence(frame), labelled(), self._heading("findings", 0.3))

    def _aside(self) -> Statement:
        """What says nothing of a finding."""
        slots = (
            "hardware",
            "chest_normal",
            "exam",
            "plan",
            "history",
            "complaints",
            "social",
            "openings",
            "vitals",
        )
        if self._real and self._random.random() < 0.5:
            return self._random.choice(self._real)
        return self._context(self._random.choice(slots))

    def _arranged(self, style: Sequence[tuple[str, str, float]], draft: Draft) -> list[Statement]:
        """The draft's statements among what else such a note has, under one heading per part."""
        bodies, waiting, parts = sum(slot == "body" for _, slot, _ in style), list(draft.body), []
        for section, slot, probability in style:
            if slot == "body":
                bodies -= 1
                cut = len(waiting) if bodies == 0 else self._random.randint(0, len(waiting))
                said, waiting = waiting[:cut], waiting[cut:]
            else:
                said = self._said(slot, draft) if self._random.random() < probability else []
            heading = self._heading(section, 0.6)
            # A heading that gives a statement its meaning stays with it.
            parts += [Statement(s.text, s.labels, s.heading or heading) for s in said]
        return parts

    def _laid_out(self, parts: Sequence[Statement]) -> Note:
        """Headings on lines of their own rule until the next one: in such a note no statement goes without."""
        r, text, ruling = self._random, "", ""
        own_line = r.random() < 0.3
        for part in parts:
            heading = part.heading or (self._heading("findings", 1) if own_line and not ruling else "")
            if heading and heading != ruling:
                text += f"\n{heading}:" + ("\n" if own_line else " ")
            elif text:
                text += "\n" if ruling and not heading else r.choice((" ", " ", "\n"))
            ruling = heading or (ruling if own_line else "")
            text += part.text
        return Note(text.strip(), together(part.labels for part in parts))

    def _said(self, slot: str, draft: Draft) -> list[Statement]:
        if slot == "real":
            return self._random.sample(list(self._real), min(len(self._real), self._random.randint(2, 7)))
        if slot == "chest_normal" and draft.settled:
            return []
        if slot in ("family", "indication"):
            frame = "family" if slot == "family" else "hypothetical"
            key = self._random.choice(KEYS)
            text = self._bare(key) if self._random.random() < 0.4 else self._filled(self._framed(frame, key))
            return [Statement(text, labelled(), self._heading(slot, 1))]
        return [self._context(slot)]

    def _context(self, slot: str) -> Statement:
        return Statement(self._filled(self._random.choice(self._bank["context"][slot])), labelled())

    def _heading(self, section: str, probability: float) -> str:
        if self._random.random() >= probability:
            return ""
        heading: str = self._random.choice(self._bank["headings"][section])
        return heading

    def _bare(self, key: str) -> str:
        return self._filled(self._sentence(self._term(key) + self._random.choice((".", ".", ""))))

    def _framed(self, kind: str, key: str) -> str:
        return self._sentence(self._random.choice(self._bank["frames"][kind]).replace("{t}", self._term(key)))

    def _term(self, key: str) -> str:
        """Of the words for a finding, the plain one more often."""
        terms = self._bank.finding(key)["terms"]
        return str(terms[0] if self._random.random() < 0.2 else self._random.choice(terms))

    def _sentence(self, text: str) -> str:
        return self._filled(text[0].upper() + text[1:])

    def _filled(self, sentence: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: SLOTS[m[1]](self._random), sentence)

    def _misspelt(self, said: Statement) -> Statement:
        """With one letter of a long word lost, or two of them swapped."""
        words = list(re.finditer(r"[a-z]{7,}", said.text))
        if not words:
            return said
        at = self._random.choice(words).start() + self._random.randint(2, 5)
        pair = said.text[at : at + 2]
        typed = self._random.choice((pair[1:], pair[::-1]))
        return Statement(said.text[:at] + typed + said.text[at + 2 :], said.labels, said.heading)

    def _telegraphic(self, said: Statement) -> Statement:
        text = said.text
        for pattern, short in TELEGRAPHIC:
            if self._random.random() < 0.6:
                text = pattern.sub(short, text)
        return Statement(text, said.labels, said.heading)
