"""A prescreen in words: the same sentences on the card, in the report and in the app."""

from __future__ import annotations

from cds.findings import Finding, Level, Prescreen

LEVEL_IN_WORDS = {
    Level.HIGH: "high probability",
    Level.REVIEW: "uncertain, needs manual review",
    Level.LOW: "low probability",
}

DISCLAIMER = (
    "Computed by demonstration models, preliminary, not reviewed by a clinician and not a diagnosis. "
    "Not a medical device."
)


def percent(probability: float) -> str:
    """``0.934`` as ``93 %``; never 0 % or 100 %, which no model can claim."""
    return f"{min(max(round(probability * 100), 1), 99)} %"


def part(probability: float | None) -> str:
    return "-" if probability is None else percent(probability)


def worth_saying(prescreen: Prescreen) -> tuple[Finding, ...]:
    """The findings above LOW, worst first."""
    return tuple(f for f in prescreen.findings if f.level is not Level.LOW)


def sentence(finding: Finding) -> str:
    """One finding with its probability and what it rests on."""
    return (
        f"{finding.type.display}: {LEVEL_IN_WORDS[finding.level]} ({percent(finding.probability)}; "
        f"image {part(finding.image)}, note {part(finding.note)})"
    )


def seen(prescreen: Prescreen) -> str:
    """What the answer rests on."""
    study, notes = prescreen.study, prescreen.notes
    image = "no image"
    if study:
        taken = f" of {study.started:%Y-%m-%d}" if study.started else ""
        image = " ".join(filter(None, (study.modality, study.view))) + taken
    return f"{image}; {len(notes)} {'note' if len(notes) == 1 else 'notes'}"


def conclusion(prescreen: Prescreen) -> str:
    """The report's conclusion: findings, what was seen, what was not, and what this is."""
    findings = worth_saying(prescreen)
    lines = [sentence(f) + "." for f in findings] or ["No finding above its threshold."]
    lines.append(f"Seen: {seen(prescreen)}.")
    lines += [f"Not seen: {missing.reason}" for missing in prescreen.missing]
    return " ".join([*lines, DISCLAIMER])
