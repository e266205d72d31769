"""Whatever a network gives, the engine reads log-odds of each finding."""

from __future__ import annotations

import pytest
import torch

from cds.engine.networks import log_odds


def test_softmax_becomes_the_log_odds_of_one_against_the_rest() -> None:
    outputs = torch.tensor([[1.0, 2.0, -1.0], [0.0, 50.0, 3.0]])
    expected = outputs.softmax(dim=1)
    torch.testing.assert_close(log_odds(outputs, "softmax").sigmoid(), expected)


def test_probabilities_are_turned_back() -> None:
    torch.testing.assert_close(log_odds(torch.tensor([[0.2, 0.9]]), "none").sigmoid(), torch.tensor([[0.2, 0.9]]))
    assert log_odds(torch.tensor([[0.0, 1.0]]), "none").isfinite().all()
    assert log_odds(torch.tensor([[-0.1, 1.1]]), "none").isnan().all()


def test_logits_stay_as_they_are() -> None:
    assert log_odds(torch.tensor([[1.5]]), "sigmoid").item() == pytest.approx(1.5)
