"""A models directory with the bundles that ship, and small models of other forms to add to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ResNetConfig,
    ResNetForImageClassification,
)

from cds.models.adding import Wishes
from cds.settings import PACKAGE_ROOT, Settings

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] chest pain effusion pneumonia no large small right left lungs clear . , a the"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    models = tmp_path / "models"
    models.mkdir()
    for shipped in (PACKAGE_ROOT / "models").iterdir():
        (models / shipped.name).symlink_to(shipped)
    return replace(Settings(), models_dir=models, data_dir=tmp_path / "data", device="cpu", torch_threads=1)


@pytest.fixture
def wishes() -> Wishes:
    return Wishes(name="mine", licence="Apache-2.0", intended_use="Tests.")


@pytest.fixture
def image_directory(tmp_path: Path) -> Callable[..., Path]:
    """A Hugging Face directory of a small ResNet."""

    def make(*labels: str, **config: object) -> Path:
        torch.manual_seed(1)
        shape = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
        named = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
        directory = tmp_path / "resnet"
        model = ResNetForImageClassification(ResNetConfig(**shape, **named, **config))
        torch.nn.init.normal_(model.classifier[1].weight)
        model.save_pretrained(directory)
        return directory

    return make


@pytest.fixture
def note_directory(tmp_path: Path) -> Callable[..., Path]:
    """A BERT with a vocabulary of words and no ``tokenizer.json``, as older checkpoints are."""

    def make(*labels: str, **config: object) -> Path:
        torch.manual_seed(1)
        shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        named = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
        directory = tmp_path / "bert"
        model = BertForSequenceClassification(
            BertConfig(**shape, **named, vocab_size=len(WORDS.split()), max_position_embeddings=64, **config)
        )
        torch.nn.init.normal_(model.classifier.weight)
        model.save_pretrained(directory)
        (directory / "vocab.txt").write_text("\n".join(WORDS.split()) + "\n")
        return directory

    return make
