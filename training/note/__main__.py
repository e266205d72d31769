"""``python -m training.note --out models/clinical-note``: about ten minutes on one core."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BertForSequenceClassification, BertTokenizer

from cds.findings import FINDINGS
from cds.notes.deidentification import Deidentifier, KnownIdentifiers
from cds.notes.reading import prepare
from training.bundle import Bundle, write_bundle
from training.note import card, evaluate, model, real
from training.note.fit import fit
from training.note.generate import KEYS, Note, Writer

VERSION = "1.0.0"
STRIDE = 64
DATA = Path(os.environ.get("SIGHTLINE_DATA", "../shared/data")) / "notes"


@dataclass(frozen=True, slots=True)
class Size:
    """How many notes of each sort are written."""

    statements: int = 24_000
    notes: int = 5_000
    validation: int = 1_000
    heldout: int = 500


SMOKE = Size(statements=96, notes=48, validation=60, heldout=30)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is learnt from, calibrated on and tested on; no note is in two of them."""

    statements: Sequence[Note]
    notes: Sequence[Note]
    validation: Sequence[Note]
    heldout: Sequence[Note]
    vocabulary: Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.note", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of ACI-Bench and MTS-Dialog")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a minute's run that shows the way, not a good model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(arguments.out, arguments.data, SMOKE if arguments.smoke else Size(), seed=arguments.seed)


def train(out: Path, data: Path, size: Size, *, seed: int) -> str:
    """Write, learn, calibrate, measure, seal; the bundle's SHA-256."""
    corpus = write(data, size, seed=seed)
    network, tokenizer = model.build([n.text for n in (*corpus.statements, *corpus.notes)], corpus.vocabulary)
    fit(network, tokenizer, [corpus.statements, corpus.notes], seed=seed)
    model.save(network, tokenizer, out)
    network, tokenizer = _as_shipped(out)
    logits = model.logits(network, tokenizer, [n.text for n in corpus.validation], stride=STRIDE).double().numpy()
    truth = evaluate.labels(corpus.validation)
    calibration = evaluate.calibrate(logits, truth)
    probabilities = evaluate.calibrated(logits, calibration)
    facts = _facts(network, tokenizer, size)
    sets = {"handwritten": evaluate.handwritten(), "heldout": corpus.heldout}
    figures = _figures(network, tokenizer, calibration, corpus, sets)
    return write_bundle(out, _bundle(calibration, probabilities), card.card(sets=figures, facts=facts))


def write(data: Path, size: Size, *, seed: int) -> Corpus:
    """The notes, with de-identified sentences of real ones where ``data`` holds them."""
    training, testing = (list(real.notes(data, f)) for f in (real.TRAINING_FILES, real.HELDOUT_FILES))
    filler, test_filler = (_filler(texts) for texts in (training, testing))
    writer = Writer("train", seed=seed, real=filler)
    fellow = Writer("train", seed=seed + 1, real=filler)
    stranger = Writer("heldout", seed=seed + 2, real=test_filler)
    return Corpus(
        statements=[writer.statement() for _ in range(size.statements)],
        notes=[writer.note() for _ in range(size.notes)],
        validation=[fellow.note() for _ in range(size.validation)],
        heldout=[stranger.note() for _ in range(size.heldout)],
        vocabulary=training,
    )


def _filler(texts: Sequence[str]) -> list[str]:
    """Their unrelated sentences as the model will see such text: de-identified and prepared."""
    deidentifier = Deidentifier(bytes(32))
    return real.unrelated_sentences(
        [
            prepare([deidentifier.deidentify(text, KnownIdentifiers(subject=str(number))).text])
            for number, text in enumerate(texts)
        ]
    )


def _as_shipped(out: Path) -> tuple[BertForSequenceClassification, BertTokenizer]:
    """The model as others will load it: rounded to half precision."""
    network = BertForSequenceClassification.from_pretrained(out).float()
    return network, BertTokenizer.from_pretrained(out)


def _figures(
    network: BertForSequenceClassification, tokenizer: BertTokenizer, calibration: Any, corpus: Corpus, sets: Any
) -> dict[str, Any]:
    baseline = evaluate.Baseline([*corpus.statements, *corpus.notes])
    simple = evaluate.calibrate(baseline.logits(corpus.validation), evaluate.labels(corpus.validation))
    figures = {}
    for name, notes in sets.items():
        truth = evaluate.labels(notes)
        logits = model.logits(network, tokenizer, [n.text for n in notes], stride=STRIDE).double().numpy()
        figures[name] = (
            evaluate.measured(evaluate.calibrated(logits, calibration), truth),
            evaluate.measured(evaluate.calibrated(baseline.logits(notes), simple), truth),
        )
    return figures


def _facts(network: BertForSequenceClassification, tokenizer: BertTokenizer, size: Size) -> dict[str, object]:
    before = BertTokenizer.from_pretrained(model.pretrained()).get_vocab()
    return {
        "words": sum(name not in before for name in tokenizer.get_vocab()),
        "version": VERSION,
        "layers": model.LAYERS,
        "vocabulary": network.config.vocab_size,
        "parameters": f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f}",
        "trained": size.notes,
        "statements": size.statements,
        "validated": size.validation,
    }


def _bundle(calibration: Any, probabilities: evaluate.Matrix) -> Bundle:
    return Bundle(
        name="clinical-note",
        version=VERSION,
        kind="note",
        findings=KEYS,
        input={"max_tokens": model.MAX_TOKENS, "stride": STRIDE, "pooling": "max"},
        calibration=calibration,
        baseline={
            key: {"mean": round(float(mean), 4), "std": round(float(std), 4)}
            for key, mean, std in zip(FINDINGS, probabilities.mean(axis=0), probabilities.std(axis=0), strict=True)
        },
        licence=card.LICENCE,
        intended_use=card.INTENDED_USE,
    )


if __name__ == "__main__":
    main()
