"""What it costs to score a note on one core: ``python -m bench.note_scoring [--quick] [--json FILE]``.

The bundle that ships and, as the peer, a BERT-base of the shape of Bio_ClinicalBERT (28,996 word pieces, 12
layers, random weights: they do not change the speed) in windows of 512 tokens, on the same notes of 500, 2,000 and
8,000 words, on one thread. Processor time, so that other work on the machine counts less; p95 over the runs. What
reading only the most relevant sentences of a long note costs in accuracy is in the bundle's card.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bench import report
from cds.engine.bundles import Bundle
from cds.engine.network import TorchNetwork
from cds.engine.note import NoteReader
from cds.engine.tokens import Tokens

MODELS = Path(__file__).parents[1] / "models"
WORDS = (500, 2000, 8000)
GOAL_MS = 300.0
GOAL_WORDS = 2000
SENTENCES = (
    "Small right pleural effusion with adjacent atelectasis, slightly increased since the prior study.",
    "No focal consolidation or pneumothorax is seen.",
    "Lungs are clear to auscultation bilaterally, no wheezes.",
    "Heart size is at the upper limits of normal.",
    "Denies chest pain, palpitations or syncope.",
    "Continue metoprolol 25 mg twice daily and recheck the basic metabolic panel on Monday.",
    "The patient lives with her daughter and walks with a cane.",
    "Abdomen soft, nontender, nondistended, with normal bowel sounds.",
    "Reports productive cough and subjective fevers for three days.",
    "Physical therapy saw the patient and recommends home with services.",
    "Blood pressure has been running high at home, the patient forgets her tablets on weekends.",
    "Right knee with a small effusion, no erythema.",
)
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
    rows = measure(*((3, 1) if arguments.quick else (20, 3)))
    print(report.table(*_printed(rows)))
    print(f"\n{report.goals(rows)}")
    if arguments.json:
        report.write_json(arguments.json, rows)


def measure(runs: int, peer_runs: int) -> list[report.Row]:
    """Milliseconds of processor time per note; of the peer, fewer runs."""
    import torch  # noqa: PLC0415 (seconds; not for --help)

    torch.set_num_threads(1)
    ours, peer = shipped(), clinical_bert()
    rows: list[report.Row] = []
    for words in WORDS:
        note = written(words)
        rows += _rows(words, timed(ours, note, runs), timed(peer, note, peer_runs))
    return rows


def shipped() -> NoteReader:
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415

    bundle = Bundle.load(MODELS / "clinical-note")
    model = AutoModelForSequenceClassification.from_pretrained(bundle.directory, local_files_only=True)
    return NoteReader.of(bundle, _here(model.float()))


def clinical_bert() -> NoteReader:
    from transformers import BertConfig, BertForSequenceClassification  # noqa: PLC0415

    model: Any = BertForSequenceClassification(BertConfig(**CLINICAL_BERT))
    spec = {"max_tokens": 512, "stride": 128, "pooling": "max"}
    vocabulary = Tokenizer.from_file(str(MODELS / "clinical-note" / "tokenizer.json"))
    return NoteReader(_here(model), Tokens(vocabulary, model.config.to_dict()), spec)


def _here(model: Any) -> TorchNetwork:
    import torch  # noqa: PLC0415

    return TorchNetwork(model.eval(), torch.device("cpu"))


def written(words: int) -> str:
    """A note of so many words, a quarter of them on the chest; always the same."""
    r, parts, count = random.Random(words), list[str](), 0  # noqa: S311 (no secret)
    while count < words:
        parts.append(r.choice(SENTENCES))
        count += len(parts[-1].split())
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


def _printed(rows: Sequence[report.Row]) -> tuple[list[str], list[list[str]]]:
    header = ["one core", "Sightline", "BERT-base", "unit"]
    return header, [[r.name, report.figure(r.value), report.figure(r.peer), r.unit] for r in rows]


if __name__ == "__main__":
    main()
