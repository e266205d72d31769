"""Fine-tuning on single statements: masked binary cross-entropy over all findings at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from transformers import BertForSequenceClassification, BertTokenizer

from training.note.generate import KEYS, Statement
from training.note.model import encoded

BATCH = 32
POOL = 24
"""Statements are sorted by length within pools of this many batches, so that little is padded."""
RATE = 2.5e-4
HEAD_RATE = 1e-3
WARM_UP = 0.06
POSITIVE_WEIGHT = 2.0


def fit(
    model: BertForSequenceClassification,
    tokenizer: BertTokenizer,
    statements: Sequence[Statement],
    *,
    seed: int,
    watch: Callable[[int], None] = lambda step: None,
) -> None:
    """One pass over ``statements``, with linear warm-up and decay of the learning rate."""
    torch.manual_seed(seed)
    batches = list(_batches(statements, random.Random(seed)))
    optimizer = torch.optim.AdamW(
        [
            {"params": model.bert.parameters(), "lr": RATE},
            {"params": model.classifier.parameters(), "lr": HEAD_RATE},
        ],
        weight_decay=0.01,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / len(batches)))
    started, running = time.process_time(), 0.0
    for step, batch in enumerate(batches, 1):
        model.train()
        loss = _loss(model, tokenizer, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"{step}/{len(batches)} loss {running:.4f} {time.process_time() - started:.0f} s", flush=True)
        watch(step)


def _rate(done: float) -> float:
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def _loss(
    model: BertForSequenceClassification, tokenizer: BertTokenizer, batch: Sequence[Statement]
) -> torch.Tensor:
    target = torch.tensor([[s.labels[key] for key in KEYS] for s in batch])
    known = ~target.isnan()
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        model(**encoded(tokenizer, batch)).logits,
        target.nan_to_num(),
        reduction="none",
        pos_weight=torch.tensor(POSITIVE_WEIGHT),
    )
    return (losses * known).sum() / known.sum()


def _batches(statements: Sequence[Statement], r: random.Random) -> Iterator[Sequence[Statement]]:
    order = list(statements)
    r.shuffle(order)
    for start in range(0, len(order), BATCH * POOL):
        pool = sorted(order[start : start + BATCH * POOL], key=lambda s: len(s.text))
        cuts = [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
        r.shuffle(cuts)
        yield from cuts
