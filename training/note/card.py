"""The model card of ``clinical-note``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Self

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.note import NoteReader
from training.note import evaluate
from training.note.evaluate import Figures, Matrix
from training.note.generate import Note

LICENCE = "Apache-2.0"
INTENDED_USE = (
    "Demonstration of decision support on de-identified notes in English. Not a medical device; "
    "never evaluated on real patients."
)

UNGATED = ("reports", "blind", "handwritten", "long")
"""Test sets on which reading every sentence is measured too."""

_COMMAND = "python -m training.note --data DIR --out models/clinical-note"

_CARD = Template("""# clinical-note $version

A BERT sequence classifier that reads a de-identified note sentence by sentence and says, for each of fourteen
findings of the chest, whether the note holds the condition to be **present now** (affirmed or strongly suspected).
What is denied, past, another person's, or only asked about does not count.

$intended_use

## Model

all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, Reimers and Gurevych 2019), cut to $layers of its six layers and to
$vocabulary word pieces: the frequent ones and those that notes use, with $words clinical words made whole.
$parameters million parameters in half precision. Each sentence goes through the model with the heading that it
stands under as the first segment. To what it says is added what `lexicon.tsv` says of the sentence's words and
pairs of words: TF-IDF and a logistic regression, $terms terms that a person can read, all from generated text.
A note's score is that of its strongest sentence, finding by finding, so that a long note scores no higher for
being long. Sentences without a word of the chest are not read, and of the others $most at most
(`cds/engine/relevance.py`). Reading every sentence instead gives: $ungated.

## Training data

- Of the $taught: $statements statements, and as many for the lexicon's words, written by code from a bank of
  phrases (`training/note/banks/train`) in the styles of reports, emergency, progress, nursing and discharge notes;
  telegraphic or in full sentences, with negation, doubt, family history, questions, past disease, several findings
  of different polarity in one sentence, and disease described without its name. Identifiers stand in them as our
  de-identifier leaves them.
- Sentences that state no finding from real visit notes: **ACI-Bench** (Yim et al., 2023) and **MTS-Dialog**
  (Ben Abacha et al., 2023), both CC BY 4.0, de-identified again by our own de-identifier, none of them
  redistributed here.
- No patient's record was used.

Calibration (Platt, per finding): $validated further notes, half from the training bank, half from the held-out
one.

The command: `$command`. $began

## Figures

AUROC with a 95 % bootstrap interval over notes; F1 and specificity at a calibrated probability of 0.5; ECE the
expected calibration error in ten bins; `all` pools the findings. The baseline is TF-IDF with logistic regression,
learnt from the same statements, calibrated on the same notes: once reading sentence by sentence like the model
(the tables below), once learning from $notes generated notes as well and reading whole notes. The network has
learnt from 32,000 statements and notes of narrower banks besides.

$summary

### Reports and notes written by hand

`training/note/reports.csv`: radiology reports and clinical notes in the style of real ones, many of them chosen to
be hard (negation, doubt, history, resolved, other organs). Never used to calibrate anything; what earlier versions
missed here was looked at, so by now it is a development set. The person who wrote them also wrote the phrase
banks.

$reports

### Blind reports and notes

`training/note/blind.csv`: written by hand in the idiom of radiologists, emergency physicians and nurses before
version 3.0.0 was begun, by the one who then widened the banks. No model's misses in it were looked at, and no
phrase that was added shares four words in a row with it.

$blind

### Short notes written by hand

`training/note/handwritten.csv`: older, shorter, written apart from the first phrase bank by the same hand. Looked
at to choose between ways of reading (pairs of sentences as well, or no gate) and to widen the gate's words.

$handwritten

### Real visit notes

The test files of ACI-Bench and MTS-Dialog, which training never saw, labelled by one reader
(`training/note/real_labels.csv`). Few have a finding of the chest: what they show is how often the model cries
wolf.

$real

Share of notes with a finding wrongly at or above 0.5, by their length in words: $wolf.

### Long notes

Every third of the hand-written reports somewhere within 2,000 words of real visit notes that have no finding.

$long

### Generated from other phrases

Notes from `training/note/banks/heldout`, which shares no sentence with the training bank. Other notes of that bank
served to calibrate, so this is a check and no test.

$heldout

## Limits

- Trained on phrases that one team thought of. Real notes have more ways of saying things, misspellings, copied
  text and contradictions; expect these figures to fall.
- English only. Adults mostly. Fourteen findings of the chest; silence about anything else means nothing.
- Each sentence is read by itself: a condition that only several together describe can be missed, and a denial in
  one does not lower an assertion in another.
- A hernia of the groin still scores within the review band (0.43), though not as a hiatal one would.
- COPD without emphysema, congestive heart failure without congestion and plain scarring were left open in
  training; what the model says of them means little.
- Prevalence in the training notes is made up, so probabilities are comparable between notes, not with frequencies
  in a population.
- A negation far from what it denies, or a list with an exception, can be misread. The sentence behind a score is
  for a clinician to read.
""")


@dataclass(frozen=True, slots=True)
class Scores:
    """Calibrated probabilities of one test set by each model, and its labels."""

    ours: Matrix
    ungated: Matrix
    """Ours, every sentence read; with no rows where that was not measured."""
    theirs: Mapping[str, Matrix]
    truth: Matrix
    words: Sequence[int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every test set, scored by the model and by the baselines."""

    sets: Mapping[str, Scores]

    @classmethod
    def of(
        cls,
        reader: NoteReader,
        calibration: Any,
        tests: Mapping[str, Sequence[Note]],
        baselines: Mapping[str, Any],
    ) -> Self:
        return cls(
            {
                name: Scores(
                    ours=evaluate.calibrated(evaluate.read(reader, notes), calibration),
                    ungated=evaluate.calibrated(
                        evaluate.read_every_sentence(reader, notes if name in UNGATED else ()), calibration
                    ),
                    theirs={b: evaluate.calibrated(m.logits(notes), c) for b, (m, c) in baselines.items()},
                    truth=evaluate.labels(notes),
                    words=[len(note.text.split()) for note in notes],
                )
                for name, notes in tests.items()
                if notes
            },
        )


def origin(start: Path | None) -> dict[str, object]:
    """How the weights came about, for :func:`card`."""
    if start is None:
        return {"taught": "network and lexicon", "command": _COMMAND, "began": "The network began from MiniLM."}
    began = f"BUNDLE was {_named(start)}, which had begun from MiniLM and learnt from narrower banks."
    return {"taught": "network and lexicon", "command": f"{_COMMAND} --start BUNDLE", "began": began}


def kept(network: Path) -> dict[str, object]:
    """The same where the network is that of another bundle."""
    began = f"BUNDLE was {_named(network)}: its network is left as it was, and had learnt from narrower banks."
    return {"taught": "lexicon", "command": f"{_COMMAND} --network BUNDLE", "began": began}


def measured(bundle: Path) -> dict[str, object]:
    """The same where nothing was learnt."""
    began = (
        f"BUNDLE was {_named(bundle)}: its network, lexicon and calibration are as they were, and its own card "
        "tells how they came about; the figures are of how notes are read now."
    )
    return {"taught": "network and lexicon", "command": f"{_COMMAND} --measure BUNDLE", "began": began}


def _named(bundle: Path) -> str:
    version = Bundle.load(bundle).version
    return f"{version.name} {version.version} (SHA-256 of its `bundle.json`: {version.digest[:16]}…)"


def card(comparison: Comparison, facts: Mapping[str, object]) -> str:
    tables = {name: _table(scores) for name, scores in comparison.sets.items()}
    said = {
        "intended_use": INTENDED_USE,
        "summary": _summary(comparison),
        "wolf": _wolf(comparison.sets["real"]) if "real" in comparison.sets else "not measured",
        "ungated": _ungated(comparison),
        **dict.fromkeys(("real", "long"), "Not measured when this bundle was made."),
    }
    return _CARD.substitute({**said, **tables, **facts})


def _ungated(comparison: Comparison) -> str:
    figures = {
        name: evaluate.measured(comparison.sets[name].ungated, comparison.sets[name].truth)["all"]
        for name in UNGATED
        if name in comparison.sets and len(comparison.sets[name].ungated)
    }
    return (
        "not measured"
        if not figures
        else "; ".join(
            f"{name} AUROC {_ranked(f)}, F1 {f.f1:.2f}, specificity {f.specificity:.3f}"
            for name, f in figures.items()
        )
    )


def _summary(comparison: Comparison) -> str:
    lines = ["| | n | model AUROC | TF-IDF by sentence | TF-IDF on whole notes | model minus the better one |"]
    lines.append("|---|---|---|---|---|---|")
    for name, scores in comparison.sets.items():
        ours = evaluate.measured(scores.ours, scores.truth)["all"]
        theirs = {b: evaluate.measured(p, scores.truth)["all"] for b, p in scores.theirs.items()}
        best = max(theirs, key=lambda b: theirs[b].auroc)
        ahead, low, high = evaluate.difference(scores.ours, scores.theirs[best], scores.truth)
        cells = [_ranked(f) + f", F1 {f.f1:.2f}" for f in (ours, *theirs.values())]
        lines.append(
            f"| {name} | {len(scores.truth)} | {' | '.join(cells)} | {ahead:+.3f} ({low:+.3f} to {high:+.3f}) |"
        )
    return "\n".join(lines)


def _table(scores: Scores) -> str:
    lines = [
        "| Finding | n | positive | AUROC (95 % CI) | F1 | specificity | ECE | baseline AUROC | baseline F1 |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    baseline = evaluate.measured(scores.theirs["by sentence"], scores.truth)
    for key, ours in evaluate.measured(scores.ours, scores.truth).items():
        theirs = baseline[key]
        lines.append(
            f"| {key} | {ours.n} | {ours.positives} | {_ranked(ours)} | {ours.f1:.2f} | {ours.specificity:.3f} | "
            f"{ours.calibration_error:.3f} | {_ranked(theirs)} | {theirs.f1:.2f} |"
        )
    return "\n".join(lines)


def _wolf(scores: Scores) -> str:
    """The share of notes in which a finding that is not there is called, for short and for long notes."""
    called = ((scores.ours >= 0.5) & (scores.truth == 0)).any(axis=1)
    words, parts = np.array(scores.words), []
    for low, high in ((0, 100), (100, 400), (400, 10_000)):
        chosen = (words >= low) & (words < high)
        if chosen.any():
            label = f"{low} to {high}" if high < 10_000 else f"{low} or more"
            parts.append(f"{label}: {called[chosen].mean():.1%} of {chosen.sum()}")
    return "; ".join(parts)


def _ranked(figures: Figures) -> str:
    low, high = figures.interval
    return f"{figures.auroc:.3f} ({low:.3f} to {high:.3f})" if figures.positives else "-"
