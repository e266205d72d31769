"""A prescreen in words: the same sentences on the card, in the report and in the app."""

from __future__ import annotations

import re
from datetime import date, datetime

from cds.findings import Finding, Judgement, Level, ModelVersion, Prescreen, Review, Verdict

_LEVEL = {
    Level.HIGH: "high probability",
    Level.REVIEW: "uncertain, needs manual review",
    Level.LOW: "low probability",
}

DISCLAIMER = (
    "Computed by demonstration models, preliminary, not reviewed by a clinician and not a diagnosis. "
    "Not a medical device."
)

SIGNED_DISCLAIMER = (
    "Computed by demonstration models, reviewed and signed by the clinician named as interpreter. "
    "Not a medical device."
)


def percent(probability: float) -> str:
    """``0.934`` as ``93 %``; never 0 % or 100 %, which no model can claim."""
    return f"{min(max(round(probability * 100), 1), 99)} %"


def level(finding: Finding) -> str:
    """How sure it is; of what is uncertain because image and note differ, that."""
    if finding.level is Level.REVIEW and finding.disputed:
        return "image and note disagree, needs manual review"
    return _LEVEL[finding.level]


def part(probability: float | None) -> str:
    return "-" if probability is None else percent(probability)


def key_slice(finding: Finding) -> str:
    """``key slice 12 of 28``, of what was seen in a CT; else empty."""
    found = finding.key_slice
    return f"key slice {found.number} of {found.of}" if found else ""


def image_part(finding: Finding) -> str:
    """What the image says, and of a CT where."""
    return ", ".join(filter(None, (part(finding.image), key_slice(finding))))


def within(finding: Finding) -> str:
    """``85 to 97 %``: how far the probability can be off; empty where nothing is known of that."""
    if finding.interval is None:
        return ""
    low, high = map(percent, finding.interval)
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def together(finding: Finding) -> str:
    """``93 % (85 to 97 %)``."""
    reach = within(finding)
    return percent(finding.probability) + (f" ({reach})" if reach else "")


def in_doubt(prescreen: Prescreen) -> str:
    """Why the film may be none that the image model can read; empty where nothing speaks for it."""
    doubts = prescreen.study.quality if prescreen.study else ()
    return f"the film {' and '.join(doubts)}; what it shows needs manual review." if doubts else ""


def worth_saying(prescreen: Prescreen) -> tuple[Finding, ...]:
    """The findings above LOW, worst first."""
    return tuple(f for f in prescreen.findings if f.level is not Level.LOW)


def sentence(finding: Finding) -> str:
    """One finding with its probability and what it rests on."""
    return (
        f"{finding.type.display}: {level(finding)} ({percent(finding.probability)}; "
        f"image {image_part(finding)}, note {part(finding.note)})"
    )


def model(version: ModelVersion) -> str:
    """Enough to tell it from any other."""
    return f"{version.name} {version.version} ({version.digest[:8]})"


def seen(prescreen: Prescreen) -> str:
    """What the answer rests on."""
    return f"{_image(prescreen)}; {_notes(prescreen)}"


def seen_by(now: datetime, prescreen: Prescreen) -> str:
    """What the answer rests on, and how old that is ``now``."""
    image, notes = _image(prescreen), _notes(prescreen)
    if prescreen.study and prescreen.study.started:
        image += f", {age(prescreen.study.started, now)}"
    if latest := max((note.written for note in prescreen.notes if note.written), default=None):
        notes += f", {'' if len(prescreen.notes) == 1 else 'the latest '}{_days(latest, now)}"
    return f"{image}; {notes}"


def age(then: datetime, now: datetime) -> str:
    """``5 hours old``; from two days on, whole days."""
    hours = int((now - then).total_seconds() // 3600)
    if hours >= 48:
        return f"{hours // 24} days old"
    return f"{hours} {'hour' if hours == 1 else 'hours'} old" if hours > 0 else "less than an hour old"


_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What changes how other text is shown: control characters, and those that turn the direction of writing round."""
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~&@]|(?<=www)\.|:(?=//)", re.IGNORECASE)
"""What would start an element of it, and what would make an address a link."""


def markdown(text: str) -> str:
    """Somebody else's text as GitHub-flavoured markdown that reads as it does, in one line, after other words."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def one_line(text: str) -> str:
    """Somebody else's text in one line, without what would change how the rest of it is shown."""
    return " ".join(_UNSEEN.sub("", " ".join(text.split())).split())


def _image(prescreen: Prescreen) -> str:
    study = prescreen.study
    if not study:
        return "no image"
    taken = f" of {study.started:%Y-%m-%d}" if study.started else ""
    written = " (burned-in text)" if study.burned_in else ""
    return " ".join(filter(None, (study.modality, study.view))) + taken + written


def _notes(prescreen: Prescreen) -> str:
    count = len(prescreen.notes)
    return f"{count} {'note' if count == 1 else 'notes'}"


def _days(day: date, now: datetime) -> str:
    days = (now.date() - day).days
    return "of today" if days <= 0 else f"{days} {'day' if days == 1 else 'days'} old"


def conclusion(prescreen: Prescreen) -> str:
    """The report's conclusion: findings, what was seen, what was not, and what this is."""
    findings = worth_saying(prescreen)
    lines = [sentence(f) + "." for f in findings] or ["No finding above its threshold."]
    lines.append(f"Seen: {seen(prescreen)}.")
    lines += [f"In doubt: {doubt}"] if (doubt := in_doubt(prescreen)) else []
    lines += [f"Not seen: {missing.reason}" for missing in prescreen.missing]
    return " ".join([*lines, DISCLAIMER])


def is_present(finding: Finding, judgement: Judgement) -> bool:
    """Whether the clinician says that it is there: to agree with what is uncertain is to say so."""
    return (finding.level is not Level.LOW) == (judgement.verdict is Verdict.AGREE)


def judged(judgement: Judgement) -> str:
    """What a clinician says to the models."""
    agrees = judgement.verdict is Verdict.AGREE
    return "Agrees with the models" if agrees else f"Disagrees with the models: {judgement.reason}"


def signed_conclusion(prescreen: Prescreen, review: Review) -> str:
    """The conclusion of a report that a clinician signed: what is there, and where they differ from the models."""
    judged = [(f, judgement) for f in prescreen.findings if (judgement := review.of(f.key))]
    present = [f"{f.type.display} (computed {percent(f.probability)})" for f, j in judged if is_present(f, j)]
    absent = [
        f"{f.type.display} (computed {percent(f.probability)})"
        for f, j in judged
        if not is_present(f, j) and f.level is not Level.LOW
    ]
    lines = [
        f"Present: {'; '.join(present)}." if present else "None of the findings that were looked for is present."
    ]
    lines += [f"Not present: {'; '.join(absent)}."] if absent else []
    lines += [f"{f.type.display}: disagrees with the models: {j.reason}" for f, j in judged if j.reason]
    lines += [f"Comment: {review.comment}"] if review.comment else []
    lines.append(f"Seen: {seen(prescreen)}.")
    return " ".join([*lines, SIGNED_DISCLAIMER])
