"""Fine-tuning: masked binary cross-entropy over all findings at once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

import torch
from transformers import BertForSequenceClassification, BertTokenizer

from training.note.generate import KEYS, Note
from training.note.model import MAX_TOKENS

BATCH = 24
POOL = 24
"""Notes are sorted by length within pools of this many batches, so that little is padded."""
RATE = 4e-4
HEAD_RATE = 1e-3
WARM_UP = 0.06
POSITIVE_WEIGHT = 2.0


def fit(
    model: BertForSequenceClassification, tokenizer: BertTokenizer, lessons: Sequence[Sequence[Note]], *, seed: int
) -> None:
    """One pass over each of ``lessons`` in turn, with linear warm-up and decay of the learning rate."""
    torch.manual_seed(seed)
    r = random.Random(seed)
    batches = [batch for notes in lessons for batch in _batches(notes, r)]
    optimizer = torch.optim.AdamW(
        [
            {"params": model.bert.parameters(), "lr": RATE},
            {"params": model.classifier.parameters(), "lr": HEAD_RATE},
        ],
        weight_decay=0.01,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / len(batches)))
    model.train()
    started, running = time.monotonic(), 0.0
    for step, batch in enumerate(batches, 1):
        loss = _loss(model, tokenizer, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"{step}/{len(batches)} loss {running:.4f} {time.monotonic() - started:.0f} s", flush=True)


def _rate(done: float) -> float:
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def _loss(model: BertForSequenceClassification, tokenizer: BertTokenizer, batch: Sequence[Note]) -> torch.Tensor:
    inputs = tokenizer(
        [n.text for n in batch], truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt"
    )
    target = torch.tensor([[n.labels[key] for key in KEYS] for n in batch])
    known = ~target.isnan()
    with torch.autocast("cpu", torch.bfloat16):  # two to three times as fast where the processor has it
        scores = model(**inputs).logits
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        scores.float(), target.nan_to_num(), reduction="none", pos_weight=torch.tensor(POSITIVE_WEIGHT)
    )
    return (losses * known).sum() / known.sum()


def _batches(notes: Sequence[Note], r: random.Random) -> Iterator[Sequence[Note]]:
    order = list(notes)
    r.shuffle(order)
    for start in range(0, len(order), BATCH * POOL):
        pool = sorted(order[start : start + BATCH * POOL], key=lambda n: len(n.text))
        cuts = [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
        r.shuffle(cuts)
        yield from cuts
