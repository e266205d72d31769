"""What a bundle's network is tried with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.image import input_of
from cds.engine.network import Inputs
from cds.engine.tokens import Tokens

ROWS = 16
SAMPLES = ("No pleural effusion.", "Large right pneumothorax with mediastinal shift; chest tube placed at once.")


def examples_for(bundle: Bundle) -> Sequence[Inputs]:
    """Inputs of a bundle's network; of different sizes, where sizes may differ."""
    if bundle.version.kind == "image":
        shape = bundle.input["height"], bundle.input["width"]
        pictures = [np.random.default_rng(seed).random(shape, np.float32) for seed in range(3)]
        return [{"pixel_values": input_of(bundle, picture)} for picture in pictures]
    tokens = Tokens.of(bundle.directory)
    return [tokens.inputs(texts) for texts in ([SAMPLES[0]] * ROWS, SAMPLES)]
