"""What it costs to score a note on one core: ``python -m bench.note_scoring [--quick] [--json FILE]``.

The bundle that ships, as the engine runs it, its lexicon with it, and, as the peer, a BERT-base of the shape of
Bio_ClinicalBERT (28,996 word pieces, 12 layers, random weights: they do not change the speed) in windows of 512
tokens, on the same notes of 500, 2,000 and 8,000 words, on one thread. The notes are made of the reports and notes
of ``training/note``, no sentence twice, since what is said twice is read once. "Again" is the same note with what
was said of its sentences still known. Processor time, so that other work on the machine counts less; p95 over the
runs. What reading only the most relevant sentences of a long note costs in accuracy is in the bundle's card.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bench import report
from cds.engine.bundles import Bundle
from cds.engine.by_length import ByLength
from cds.engine.network import TorchNetwork
from cds.engine.note import NoteReader
from cds.engine.sentence_scores import SentenceScores
from cds.engine.sentences import sentences
from cds.engine.tokens import Tokens

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "models" / "clinical-note"
REPORTS = [ROOT / "training" / "note" / f"{name}.csv" for name in ("reports", "blind", "handwritten")]
WORDS = (500, 2000, 8000)
GOAL_MS = 300.0
GOAL_WORDS = 2000
CLINICAL_BERT: dict[str, Any] = {
    "vocab_size": 28_996,
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "num_attention_heads": 12,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.note_scoring", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows for a program")
    arguments = parser.parse_args()
    rows = measure(3 if arguments.quick else 20)
    print(report.table(*_printed(rows)))
    print(f"\n{report.goals(rows)}")
    if arguments.json:
        report.write_json(arguments.json, rows)


def measure(runs: int) -> list[report.Row]:
    """Milliseconds of processor time per note; of the peer, which takes most of a minute, one run."""
    import torch  # noqa: PLC0415 (seconds; not for --help)

    torch.set_num_threads(1)
    ours, again, peer = shipped(), shipped(SentenceScores()), clinical_bert()
    rows: list[report.Row] = []
    for words in WORDS:
        note = written(words)
        rows += _rows(words, timed(ours, note, runs), timed(peer, note, 1))
        again.read(note)
        rows.append(_again(words, timed(again, note, runs)))
    return rows


def shipped(scores: SentenceScores | None = None) -> NoteReader:
    """As :func:`cds.engine.running.begun` runs it on a CPU."""
    from cds.engine.examples import examples_for  # noqa: PLC0415
    from cds.engine.networks import note_network  # noqa: PLC0415 (torch)
    from cds.engine.onnx_export import exported  # noqa: PLC0415
    from cds.engine.onnx_runtime import OnnxRuntimeNetwork  # noqa: PLC0415

    bundle = Bundle.load(BUNDLE)
    onnx = exported(note_network(bundle), examples_for(bundle)[0])
    return NoteReader.of(bundle, ByLength(OnnxRuntimeNetwork(onnx, threads=1)), scores)


def clinical_bert() -> NoteReader:
    import torch  # noqa: PLC0415
    from transformers import BertConfig, BertForSequenceClassification  # noqa: PLC0415

    model: Any = BertForSequenceClassification(BertConfig(**CLINICAL_BERT))
    spec = {"max_tokens": 512, "stride": 128, "pooling": "max"}
    vocabulary = Tokenizer.from_file(str(BUNDLE / "tokenizer.json"))
    network = TorchNetwork(model.eval(), torch.device("cpu"))
    return NoteReader(network, Tokens(vocabulary, model.config.to_dict()), spec)


def written(words: int) -> str:
    """A note of so many words, no sentence of it twice as long as there are others; always the same."""
    texts = [row["text"] for file in REPORTS for row in csv.DictReader(file.open(encoding="utf-8"))]
    known = list(dict.fromkeys(sentence.text for text in texts for sentence in sentences(text)))
    random.Random(words).shuffle(known)  # noqa: S311 (no secret)
    parts, count = list[str](), 0
    for sentence in itertools.cycle(known):
        if count >= words:
            break
        parts.append(sentence)
        count += len(sentence.split())
    return "\n".join(parts)


def timed(reader: NoteReader, note: str, runs: int) -> list[float]:
    reader.read("Small effusion.")
    took = []
    for _ in range(runs):
        started = time.process_time()
        reader.read(note)
        took.append((time.process_time() - started) * 1000)
    return took


def _rows(words: int, took: Sequence[float], peer: Sequence[float]) -> list[report.Row]:
    mean, p95 = sum(took) / len(took), report.percentile(took, 95)
    theirs = sum(peer) / len(peer)
    goal = words == GOAL_WORDS
    device = f"one core of {report.device()}"
    return [
        report.Row(
            f"score a note of {words} words, p95",
            p95,
            "ms",
            peer=theirs,
            ratio=report.ratio(p95, theirs),
            goal=f"below {GOAL_MS:.0f} ms" if goal else "",
            met=report.at_most(GOAL_MS, p95) if goal else None,
            device=device,
        ),
        report.Row(
            f"notes of {words} words scored",
            1000 / mean,
            "1/s",
            peer=1000 / theirs,
            ratio=report.ratio(theirs, mean),
            device=device,
        ),
    ]


def _again(words: int, took: Sequence[float]) -> report.Row:
    p95 = report.percentile(took, 95)
    return report.Row(
        f"score a note of {words} words again, p95", p95, "ms", device=f"one core of {report.device()}"
    )


def _printed(rows: Sequence[report.Row]) -> tuple[list[str], list[list[str]]]:
    header = ["one core", "Sightline", "BERT-base", "unit"]
    return header, [[r.name, report.figure(r.value), report.figure(r.peer), r.unit] for r in rows]


if __name__ == "__main__":
    main()
