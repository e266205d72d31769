"""What a BERT's head does not look at is not computed, and changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from cds.engine.first_token import FirstToken, first_token_alone

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
}
IDS = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 0, 0]])


@pytest.mark.parametrize("way", ["sdpa", "eager"])
@pytest.mark.parametrize("mask", [[[1] * 5, [1] * 5], [[1] * 5, [1, 1, 1, 0, 0]]])
def test_its_logits_are_those_of_the_whole_network(way: str, mask: list[list[int]]) -> None:
    torch.manual_seed(0)
    whole = BertForSequenceClassification(BertConfig(**SHAPE, attn_implementation=way)).eval()
    less = first_token_alone(copy.deepcopy(whole))
    assert isinstance(less.bert.encoder.layer[-1], FirstToken)
    inputs = {"input_ids": IDS, "attention_mask": torch.tensor(mask), "token_type_ids": torch.zeros_like(IDS)}
    with torch.inference_mode():
        torch.testing.assert_close(less(**inputs).logits, whole(**inputs).logits)


def test_another_architecture_stays_as_it_is() -> None:
    other = RobertaForSequenceClassification(RobertaConfig(**SHAPE))
    assert not any(isinstance(part, FirstToken) for part in first_token_alone(other).modules())
