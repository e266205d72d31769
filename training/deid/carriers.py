"""Real visit notes (ACI-Bench, MTS-Dialog; CC BY 4.0) with the identifiers they hold made into slots.

Read from the data directory while training or testing; none of it is kept in this repository.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from training.deid.lists import Split, all_cities, census, diagnoses, drugs

FILES: dict[Split, Sequence[str]] = {
    "train": (
        "acibench_train.csv",
        "acibench_valid.csv",
        "acibench_clinicalnlp_taskC_test2.csv",
        "MTS_Dataset_TrainingSet.csv",
        "MTS_Dataset_ValidationSet.csv",
        "MTS_Dataset_Final_200_TestSet_2.csv",
    ),
    "heldout": (
        "acibench_clinicalnlp_taskB_test1.csv",
        "acibench_clef_taskC_test3.csv",
        "MTS_Dataset_Final_200_TestSet_1.csv",
    ),
}
_TITLED = re.compile(r"\b(?P<title>Dr|Mr|Mrs|Ms|Miss)\.? (?P<name>[A-Z][A-Za-z'-]*(?: [A-Z][a-z]+)?)\b\.?")
_DATE = re.compile(r"\b\d{1,2}[/-](?:\d{1,2}[/-](?:19|20)?\d\d|(?:19|20)\d\d)\b")
_DOUBTFUL = re.compile(
    r"\d/\d{1,2}\b(?!/)|\b(?:january|february|march|april|june|july|august|september|october|november|december|"
    r"christmas|thanksgiving|easter|halloween|new year|labor day|9\d[- ]year|xx|abc|xyz|_|st\.|street|"
    r"university|county|state|college|north|south)\b|\d{5,}|(?-i:Hospital|Clinic|School|Church|Center)",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"\b[A-Z][a-z'-]+\b")


def paragraphs(directory: Path, split: Split) -> list[list[str]]:
    """Lists of sentences, each safe to take as it stands or with ``{dr.last}``, ``{pt.last}``, ``{date}`` in it."""  # noqa: E501
    notes = (t for name in FILES[split] for t in _texts(directory / name))
    blocks = (block for note in notes for block in re.split(r"\n\s*\n", note))
    made = (
        [s for s in map(slotted, re.split(r"(?<=[.?!])(?<!Dr.)(?<!Mr.)(?<!Ms.)(?<!rs.)\s+|\n", block)) if s]
        for block in blocks
    )
    return [sentences for sentences in made if sentences]


def _texts(path: Path) -> Iterator[str]:
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield row.get("note") or row["section_text"]


def slotted(sentence: str) -> str:
    """Empty where the sentence may hold an identifier that we do not see."""
    text = _DATE.sub("{date}", _TITLED.sub(_slot, sentence.strip().replace("{", "(").replace("}", ")")))
    bare = re.sub(r"\{[^}]*\}", "", text)
    if _DOUBTFUL.search(bare):
        return ""
    return "" if any(may_name(w.casefold()) for w in _CAPITAL.findall(bare)) else text


def _slot(match: re.Match[str]) -> str:
    title = match["title"]
    role = "dr" if title == "Dr" else "pt"
    form = "full" if " " in match["name"] else "last"
    return f"{title}. {{{role}.{form}}}"


_PEOPLED = (
    (
        re.compile(r"^(?:She|He|The patient|Patient)(?= [a-z])"),
        ("{pt.first}", "{pt.last}", "Mr. {pt.last}", "Ms. {pt.last}", "{pt.full}"),
    ),
    (re.compile(r"(?<=[a-z] )the patient(?= [a-z])"), ("{pt.first}", "{pt.last}", "Mrs. {pt.last}", "{pt.full}")),
    (
        re.compile(r"\b(?:his|her) (?:wife|husband|mother|father|son|daughter|sister|brother|partner|friend)\b"),
        ("{rel.first}", "{rel.full}", "his wife, {rel.first},", "her son {rel.first}", "her friend {new.first}"),
    ),
    (
        re.compile(
            r"\b(?:the|an outside|our|a local) (?:emergency (?:room|department)|hospital|clinic|ER|ED|office|pharmacy|school|"  # noqa: E501
            r"nursing home|facility|gym|church)\b"
        ),
        ("{brand}", "{facility}", "the {facility}", "{brand}"),
    ),
    (
        re.compile(
            r"\b(?:his|her) (?:cardiologist|primary care (?:physician|provider)|PCP|surgeon|neurologist|doctor)\b"
        ),
        ("Dr. {dr.last}", "{dr.full}", "{dr.last}", "his cardiologist {new.last}"),
    ),
    (re.compile(r"\bat home\b"), ("at home in {city}", "in {city}", "at home on {road}")),
    (
        re.compile(r"\b(?:yesterday|last week|last month|a week ago|two weeks ago|recently)\b"),
        ("on {date}", "in {month}", "{date}"),
    ),
)


def peopled(sentence: str, rng: random.Random) -> str:
    """Often with a name or a place where the sentence has only "she" or "the hospital"."""
    for pattern, instead in _PEOPLED:
        if rng.random() < 0.35:
            sentence = pattern.sub(lambda _, instead=instead: rng.choice(instead), sentence)  # type: ignore[misc]
    return sentence


@cache
def _names() -> frozenset[str]:
    people = [*census("dist.female.first")[:3000], *census("dist.male.first"), *census("dist.all.last")[:15_000]]
    places = (name for name, country, _ in all_cities() if country in ("US", "CA", "GB", "MX", "DE"))
    return frozenset(word.casefold() for word in (*(n for n, _ in people), *places))


@cache
def _words() -> frozenset[str]:
    """Words of terms, which may begin with a capital without naming anybody."""
    return frozenset(w for title in diagnoses() for w in re.findall(r"[a-z]{3,}", title)) | set(drugs()) | _PLAIN


_PLAIN = frozenset(
    [
        "the",
        "she",
        "her",
        "his",
        "has",
        "had",
        "was",
        "were",
        "will",
        "may",
        "did",
        "does",
        "they",
        "their",
        "there",
        "then",
        "this",
        "that",
        "these",
        "those",
        "when",
        "while",
        "with",
        "in",
        "on",
        "no",
        "not",
        "all",
        "an",
        "any",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "if",
        "is",
        "it",
        "of",
        "or",
        "so",
        "to",
        "we",
        "you",
        "he",
        "i",
        "heart",
        "chest",
        "neck",
        "back",
        "head",
        "skin",
        "general",
        "alert",
        "normal",
        "abdomen",
        "lungs",
        "eyes",
        "ears",
        "nose",
        "throat",
        "mouth",
        "extremities",
        "vital",
        "signs",
        "musculoskeletal",
        "patient",
        "review",
        "past",
        "social",
        "family",
        "history",
        "physical",
        "exam",
        "assessment",
        "plan",
        "medical",
        "reasoning",
        "instructions",
        "agreements",
        "blood",
        "pressure",
        "pulse",
        "temperature",
        "denies",
        "reports",
        "continue",
        "start",
        "take",
        "follow",
        "up",
        "patients",
        "mother",
        "father",
        "medications",
        "bay",
        "young",
        "long",
        "hill",
        "wood",
        "see",
        "day",
        "good",
        "less",
        "more",
        "best",
        "well",
        "made",
        "low",
        "high",
        "moves",
        "rose",
        "gray",
        "grant",
        "foot",
        "hand",
        "bone",
        "cough",
        "fever",
        "pain",
        "page",
        "case",
        "counts",
        "bilateral",
        "positive",
        "negative",
        "tender",
        "range",
        "motion",
        "strength",
        "left",
        "right",
    ]
)


def may_name(word: str) -> bool:
    return word.removesuffix("'s") in _names() and word not in _words()
