"""What words say of a finding beside the network: a table that a person can read."""

from pathlib import Path

import numpy as np
import pytest

from cds.engine.lexicon import Lexicon, terms
from cds.errors import ModelError

FINDINGS = ("effusion", "mass")
HEAD = "term\tidf\teffusion\tmass"
TABLE = f"{HEAD}\n*\t1\t-2\t-3\nmeniscus\t3\t4\t0\nno meniscus\t4\t-5\t0\n"


def written(directory: Path, table: str) -> Path:
    path = directory / "lexicon.tsv"
    path.write_text(table)
    return path


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    return Lexicon.load(written(tmp_path, TABLE), FINDINGS)


def test_the_terms_of_a_text_are_its_words_and_each_with_the_next() -> None:
    assert list(terms("A 2 cm Meniscus.")) == ["cm", "meniscus", "cm meniscus"]


def test_a_text_of_unknown_words_says_what_every_text_does(lexicon: Lexicon) -> None:
    assert lexicon.logits("Lungs are clear.").tolist() == [-2, -3]


def test_a_known_word_adds_its_weight(lexicon: Lexicon) -> None:
    assert lexicon.logits("Meniscus at the base.").tolist() == [2, -3]


def test_known_terms_share_a_length_of_one(lexicon: Lexicon) -> None:
    np.testing.assert_allclose(lexicon.logits("No meniscus."), [-2 + (3 * 4 - 4 * 5) / 5, -3])


@pytest.mark.parametrize(
    "table",
    [
        "",
        "term\tidf\tmass\teffusion\n*\t1\t0\t0\n",
        f"{HEAD}\nmeniscus\t3\t4\t0\n",
        f"{HEAD}\n*\t1\t0\n",
        f"{HEAD}\n*\tone\t0\t0\n",
        f"{HEAD}\n*\t1\tnan\t0\n",
        f"{HEAD}\n*\t1\t0\t0\nno\tnan\t1\t1\n",
    ],
    ids=[
        "empty",
        "other findings",
        "nothing for every text",
        "a weight too few",
        "no number",
        "nan",
        "frequency nan",
    ],
)
def test_what_is_no_lexicon_of_the_model_is_refused(tmp_path: Path, table: str) -> None:
    with pytest.raises(ModelError, match=r"lexicon\.tsv"):
        Lexicon.load(written(tmp_path, table), FINDINGS)


def test_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lexicon\.tsv"):
        Lexicon.load(tmp_path / "lexicon.tsv", FINDINGS)
