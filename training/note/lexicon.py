"""The bundle's lexicon: TF-IDF and a logistic regression per finding, over words of generated text alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from cds.engine.lexicon import ALWAYS, NAME, terms
from cds.engine.note import american
from training.note.evaluate import Matrix, labels, regressions
from training.note.generate import KEYS, Statement

WEIGHT = 0.75
"""Of its logits beside the network's; chosen among 0.25 to 1.5 by how well the validation notes were ranked."""


def write(directory: Path, generated: Sequence[Statement], lessons: Sequence[Statement]) -> None:
    """Learn from both what the words of ``generated`` say; no other word gets into the file."""
    words = TfidfVectorizer(analyzer=lambda text: list(terms(american(text))), min_df=3, sublinear_tf=True)
    words.fit([s.text for s in generated])
    taught = [*generated, *lessons]
    models = regressions(words.transform([s.text for s in taught]), labels(taught))
    weights = WEIGHT * np.concatenate([model.coef_ for model in models]).T
    always = WEIGHT * np.concatenate([model.intercept_ for model in models])
    rows = zip(words.get_feature_names_out(), words.idf_, weights, strict=True)
    lines = ["\t".join(("term", "idf", *KEYS)), _line(ALWAYS, 1.0, always), *(_line(*row) for row in rows)]
    (directory / NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(term: str, idf: float, weights: Matrix) -> str:
    return "\t".join((term, f"{idf:.3f}", *(f"{weight:.2f}" for weight in weights)))
