"""``python -m training.note --out models/clinical-note``: about fifteen minutes of one core."""

from __future__ import annotations

import argparse
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BertForSequenceClassification, BertTokenizer

from cds.engine import bundles
from cds.engine.lexicon import NAME, Lexicon
from cds.engine.network import TorchNetwork
from cds.engine.note import NoteReader
from cds.engine.tokens import Tokens
from cds.findings import FINDINGS
from training.bundle import Bundle, write_bundle
from training.note import card, evaluate, lexicon, model, real
from training.note.fit import fit
from training.note.generate import KEYS, Note, Statement, Writer, together

VERSION = "3.0.2"
INPUT = {"unit": "sentence", "max_tokens": model.MAX_TOKENS, "most_sentences": 48, "pooling": "max"}
PAIRED = 0.2
"""Share of the lessons that are two statements run together, as sentences that could not be told apart."""
LONG = 2_000
"""Words of the notes that show what length does."""
DATA = Path(os.environ.get("SIGHTLINE_DATA", "../shared/data")) / "notes"


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each sort are written."""

    statements: int = 12_000
    notes: int = 4_000
    """For the baseline that reads whole notes."""
    real: int = 2_000
    validation: int = 500
    heldout: int = 250


SMOKE = Size(statements=96, notes=48, real=40, validation=60, heldout=30)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is learnt from, calibrated on and tested on; no note is in two of them."""

    statements: Sequence[Statement]
    generated: Sequence[Statement]
    """Others from the same bank, and nothing else: the lexicon's words are theirs."""
    notes: Sequence[Note]
    validation: Sequence[Note]
    tests: Mapping[str, Sequence[Note]]
    vocabulary: Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.note", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of ACI-Bench and MTS-Dialog")
    before = parser.add_mutually_exclusive_group()
    before.add_argument("--start", type=Path, metavar="BUNDLE", help="an earlier bundle to go on from, not MiniLM")
    before.add_argument(
        "--network", type=Path, metavar="BUNDLE", help="an earlier one whose network stays as it is"
    )
    before.add_argument("--measure", type=Path, metavar="BUNDLE", help="an earlier one that is measured anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a minute's run that shows the way, not a good model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = SMOKE if arguments.smoke else Size()
    if arguments.measure:
        measure(arguments.out, arguments.data, size, seed=arguments.seed, bundle=arguments.measure)
    elif arguments.network:
        refine(arguments.out, arguments.data, size, seed=arguments.seed, network=arguments.network)
    else:
        train(arguments.out, arguments.data, size, seed=arguments.seed, start=arguments.start)


def train(out: Path, data: Path, size: Size, *, seed: int, start: Path | None = None) -> str:
    """Write, learn, calibrate, measure, seal; the bundle's SHA-256."""
    corpus = write(data, size, seed=seed)
    network, tokenizer = model.build([s.text for s in corpus.statements], corpus.vocabulary, start)
    fit(network, tokenizer, corpus.statements, seed=seed)
    model.save(network, tokenizer, out)
    return seal(out, corpus, size, card.origin(start))


def refine(out: Path, data: Path, size: Size, *, seed: int, network: Path) -> str:
    """The network of another bundle with a lexicon and a calibration of what is now written."""
    corpus = write(data, size, seed=seed)
    _copy(model.FILES, network, out)
    return seal(out, corpus, size, card.kept(network))


def measure(out: Path, data: Path, size: Size, *, seed: int, bundle: Path) -> str:
    """Another bundle as it is, with the figures that it has as notes are read now."""
    corpus, before = write(data, size, seed=seed), bundles.Bundle.load(bundle).manifest
    _copy((*model.FILES, NAME), bundle, out)
    calibration = before["calibration"]
    text = _measured(out, corpus, size, calibration, card.measured(bundle))
    return write_bundle(out, _bundle(calibration, before["baseline"]), text)


def _copy(names: Sequence[str], source: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(source / name, out / name)


def seal(out: Path, corpus: Corpus, size: Size, origin: Mapping[str, object]) -> str:
    """Give the network that lies in ``out`` its lexicon, calibrate and measure; the bundle's SHA-256."""
    lexicon.write(out, corpus.generated, corpus.statements)
    logits, truth = evaluate.read(_reader(out), corpus.validation), evaluate.labels(corpus.validation)
    calibration = evaluate.calibrate(logits, truth)
    text = _measured(out, corpus, size, calibration, origin)
    return write_bundle(out, _bundle(calibration, _spread(evaluate.calibrated(logits, calibration))), text)


def _measured(out: Path, corpus: Corpus, size: Size, calibration: Any, origin: Mapping[str, object]) -> str:
    """The card of the network and lexicon that lie in ``out``."""
    figures = card.Comparison.of(_reader(out), calibration, corpus.tests, _baselines(corpus))
    return card.card(figures, _facts(out, size) | origin)


def write(data: Path, size: Size, *, seed: int) -> Corpus:
    """The notes, with de-identified sentences of real ones where ``data`` holds them."""
    training = [text for *_, text in real.notes(data, real.TRAINING_FILES)]
    testing = real.labelled_notes(data)
    filler, test_filler = real.unrelated(training), real.unrelated([note.text for note in testing])
    writer = Writer("train", seed=seed, real=filler)
    plain = Writer("train", seed=seed + 4)
    fellow = Writer("train", seed=seed + 1, real=filler)
    stranger, other = (Writer("heldout", seed=seed + n, real=test_filler) for n in (2, 3))
    reports = evaluate.written("reports")
    r = random.Random(seed)
    return Corpus(
        statements=[
            *(_lesson(writer, r) for _ in range(size.statements)),
            *r.sample(filler, min(size.real, len(filler))),
        ],
        generated=[_lesson(plain, r) for _ in range(size.statements)],
        notes=[writer.note() for _ in range(size.notes)],
        validation=[w.note() for w in (fellow, stranger) for _ in range(size.validation // 2)],
        tests={
            "reports": reports,
            "blind": evaluate.written("blind"),
            "handwritten": evaluate.written("handwritten"),
            "real": testing,
            "long": real.buried(reports[::3], testing, LONG, seed=seed),
            "heldout": [other.note() for _ in range(size.heldout)],
        },
        vocabulary=training,
    )


def _lesson(writer: Writer, r: random.Random) -> Statement:
    first = writer.statement()
    if r.random() >= PAIRED:
        return first
    second = writer.statement()
    return Statement(f"{first.text} {second.text}", together([first.labels, second.labels]), first.heading)


def _reader(out: Path) -> NoteReader:
    """The model as others will load it: rounded to half precision."""
    network, words = _network(out), Lexicon.load(out / NAME, KEYS)
    return NoteReader(TorchNetwork(network, torch.device("cpu")), Tokens.of(out), INPUT, words)


def _network(out: Path) -> BertForSequenceClassification:
    return BertForSequenceClassification.from_pretrained(out).float().eval()


def _baselines(corpus: Corpus) -> dict[str, Any]:
    """By name a baseline and its calibration on the same notes as ours."""
    made = {
        "by sentence": evaluate.Baseline(corpus.statements, evaluate.by_sentence),
        "whole notes": evaluate.Baseline([*corpus.statements, *corpus.notes], evaluate.whole),
    }
    truth = evaluate.labels(corpus.validation)
    return {name: (b, evaluate.calibrate(b.logits(corpus.validation), truth)) for name, b in made.items()}


def _facts(out: Path, size: Size) -> dict[str, object]:
    network, tokenizer = _network(out), BertTokenizer.from_pretrained(out)
    before = BertTokenizer.from_pretrained(model.pretrained()).get_vocab()
    return {
        "words": sum(name not in before for name in tokenizer.get_vocab()),
        "version": VERSION,
        "layers": len(model.LAYERS),
        "vocabulary": network.config.vocab_size,
        "parameters": f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f}",
        "statements": size.statements,
        "notes": size.notes,
        "validated": size.validation,
        "most": INPUT["most_sentences"],
        "terms": len(Lexicon.load(out / NAME, KEYS)),
    }


def _spread(probabilities: evaluate.Matrix) -> dict[str, dict[str, float]]:
    """Mean and standard deviation by finding, to know a drift by."""
    return {
        key: {"mean": round(float(mean), 4), "std": round(float(std), 4)}
        for key, mean, std in zip(FINDINGS, probabilities.mean(axis=0), probabilities.std(axis=0), strict=True)
    }


def _bundle(calibration: Any, baseline: Mapping[str, Mapping[str, float]]) -> Bundle:
    return Bundle(
        name="clinical-note",
        version=VERSION,
        kind="note",
        findings=KEYS,
        input=INPUT,
        calibration=calibration,
        baseline=baseline,
        licence=card.LICENCE,
        intended_use=card.INTENDED_USE,
    )


if __name__ == "__main__":
    main()
