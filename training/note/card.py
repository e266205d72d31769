"""The model card of ``clinical-note``."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from training.note.evaluate import Figures

LICENCE = "Apache-2.0"
INTENDED_USE = (
    "Demonstration of decision support on de-identified notes in English. Not a medical device; "
    "never evaluated on real patients."
)

_CARD = Template("""# clinical-note $version

A BERT sequence classifier that reads a de-identified note and says, for each of fourteen findings of the chest,
whether the note holds the condition to be **present now** (affirmed or strongly suspected). What is denied, past,
another person's, or only asked about does not count.

$intended_use

## Model

all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, Reimers and Gurevych 2019), cut to its first $layers layers and to
$vocabulary word pieces: those that notes use, with $words frequent clinical words made whole. $parameters million
parameters in half precision. Windows of 256 tokens, pooled per finding by the maximum of the logits.

## Training data

- $statements single statements, then $trained notes, written by code from a bank of phrases
  (`training/note/banks/train.toml`) in six styles: emergency, progress, nursing, radiology, referral and
  fragments; telegraphic or in full sentences, with negation, doubt, family history, questions, past disease, and disease
  described without its name. Identifiers stand in them as our de-identifier leaves them.
- Sentences that state no finding from real visit notes, as filler: **ACI-Bench** (Yim et al., 2023) and
  **MTS-Dialog** (Ben Abacha et al., 2023), both CC BY 4.0, de-identified again by our own de-identifier, none of
  them redistributed here.
- No patient's record was used.

Calibration (Platt, per finding): $validated further notes from the training bank, not trained on.

## Figures

AUROC with a 95 % bootstrap interval over notes; F1 at a calibrated probability of 0.5; ECE the expected
calibration error in ten bins; `all` pools the findings. The baseline is TF-IDF with logistic regression, trained,
calibrated and tested on the same notes.

### Written by hand

$handwritten_n short notes and reports (`training/note/handwritten.csv`) written apart from the phrase bank, by one
person who also wrote the bank: closer to real notes than generated ones, but not real ones.

$handwritten

### Generated from other phrases

$heldout_n notes from `training/note/banks/heldout.toml`, which shares no sentence with the training bank, with
filler from other files of the same real notes.

$heldout

## Limits

- Trained on phrases that one team thought of. Real notes have more ways of saying things, misspellings, copied
  text and contradictions; expect these figures to fall.
- English only. Adults mostly. Fourteen findings of the chest; silence about anything else means nothing.
- Prevalence in the training notes is made up, so probabilities are comparable between notes, not with frequencies
  in a population.
- A negation far from what it denies, or a list with an exception, can be misread. The sentence behind a score is
  for a clinician to read.
""")


def card(
    *, sets: Mapping[str, tuple[Mapping[str, Figures], Mapping[str, Figures]]], facts: Mapping[str, object]
) -> str:
    """``sets``: by name (``handwritten``, ``heldout``) the figures of the model and those of the baseline."""
    tables = {name: _table(model, baseline) for name, (model, baseline) in sets.items()}
    counts = {
        f"{name}_n": max(f.n for key, f in model.items() if key != "all") for name, (model, _) in sets.items()
    }
    return _CARD.substitute({"intended_use": INTENDED_USE, **tables, **facts, **counts})


def _table(model: Mapping[str, Figures], baseline: Mapping[str, Figures]) -> str:
    lines = ["| Finding | n | positive | AUROC (95 % CI) | F1 | ECE | baseline AUROC (95 % CI) | baseline F1 |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for key, ours in model.items():
        theirs = baseline[key]
        lines.append(
            f"| {key} | {ours.n} | {ours.positives} | {_ranked(ours)} | {ours.f1:.2f} | "
            f"{ours.calibration_error:.3f} | {_ranked(theirs)} | {theirs.f1:.2f} |"
        )
    return "\n".join(lines)


def _ranked(figures: Figures) -> str:
    low, high = figures.interval
    return f"{figures.auroc:.3f} ({low:.3f} to {high:.3f})"
