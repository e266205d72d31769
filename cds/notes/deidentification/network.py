"""The token classifier's network: what a word is like, then what stands around it.

It runs by ONNX Runtime, its convolutions on whole numbers, which takes half the time and moves a probability by
some 0.0001. :mod:`training.deid.network` has the same in torch, where it learns its weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, checker, numpy_helper, parser

from cds.notes.deidentification.vocabulary import HEAD, LEXICON, SHAPES, TAIL, Words

LABELS = ("O", "NAME", "ADDRESS", "FACILITY", "DATE", "NUMBER")

_VECTORS = "embedding.weight"
"""The table of word vectors: the largest of the weights, which processes share as the others cannot."""

_ENDLESS = 2**62
_STEPS = 63
"""Of a weight on either side of 0. Twice as many overflow on processors without VNNI."""

_GIVEN = f"""<ir_version: 10, opset_import: ["": 20]>
network (
    float[words, size] vectors, int64[words, {HEAD + TAIL}] characters, float[words, {len(LEXICON)}] lexicon,
    int64[words] shape, int64[tokens] places, int64[tokens] gaps
) => (float[tokens, {len(LABELS)}] probabilities)
<int64[1] rows = {{0}}, int64[1] axis2 = {{2}}, int64 shapes = {{{SHAPES}}}, float[2] no_yes = {{0, 1}},
 float nothing = {{0}}, int64[1] endless = {{{_ENDLESS}}}>"""
"""Its name is needed by the syntax alone."""

_WORDS = """
    letters = Gather (letters_weight, characters)
    in_rows = Transpose <perm = [0, 2, 1]> (letters)
    spelled = Conv <kernel_shape = [3], pads = [1, 1]> (in_rows, spelling_weight, spelling_bias)
    spelling = ReduceMax <keepdims = 0> (spelled, axis2)
    one_hot = OneHot (shape, shapes, no_yes)
    of_a_word = Concat <axis = 1> (vectors, spelling, lexicon, one_hot)
    wide = Gemm <transB = 1> (of_a_word, word_0_weight, word_0_bias)
    bent = Gelu (wide)
    known = Gemm <transB = 1> (bent, word_2_weight, word_2_bias)
    word = Gather (known, places)
    gap = Gather (gap_weight, gaps)
    x0 = Add (word, gap)
    shape_x = Shape (x0)
    tokens_n = Slice (shape_x, rows, one, rows)"""

_BLOCK = """
    apart{i} = Pad (x{i}, around{i}, nothing, rows)
    before{i} = Slice (apart{i}, rows, tokens_n, rows)
    behind{i} = Slice (apart{i}, twice{i}, endless, rows)
    three{i} = Concat <axis = 1> (before{i}, x{i}, behind{i})
    whole{i}, unit{i}, middle{i} = DynamicQuantizeLinear (three{i})
    sums{i} = MatMulInteger (whole{i}, blocks_{i}_whole, middle{i})
    real{i} = Cast <to = 1> (sums{i})
    units{i} = Mul (unit{i}, blocks_{i}_unit)
    scaled{i} = Mul (real{i}, units{i})
    mixed{i} = Add (scaled{i}, blocks_{i}_mix_bias)
    value{i}, gate{i} = Split <axis = 1, num_outputs = 2> (mixed{i})
    open{i} = Sigmoid (gate{i})
    let_in{i} = Mul (value{i}, open{i})
    x{after} = Add (x{i}, let_in{i})"""
"""A gated convolution of three tokens, ``dilation`` apart, beside a way around it."""

_LABELLED = """
    even = LayerNormalization <axis = -1, epsilon = 0.00001> (x{last}, norm_weight, norm_bias)
    logits = Gemm <transB = 1> (even, label_weight, label_bias)
    probabilities = Softmax <axis = -1> (logits)"""


class Network:
    """Called from any thread, and from processes forked off the one that made it."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], dilations: Sequence[int]) -> None:
        """Raise what onnx raises (its classes have no common base) where ``weights`` do not fit together."""
        named = {name: np.asarray(weight, np.float32) for name, weight in weights.items()}
        self._vectors = named.pop(_VECTORS)
        self._model = _model(named, dilations)

    @property
    def words(self) -> int:
        """How many words have a vector."""
        return len(self._vectors) - 1

    def __call__(self, words: Words, places: Sequence[int], gaps: Sequence[int]) -> NDArray[np.float32]:
        """Probabilities (tokens, labels). ``places``: for each token its row in ``words``."""
        given = {
            "vectors": self._vectors[words.embedding],
            "characters": words.characters,
            "lexicon": words.lexicon,
            "shape": words.shape,
            "places": np.array(places, np.int64),
            "gaps": np.array(gaps, np.int64),
        }
        probabilities: NDArray[np.float32] = self._session.run(None, given)[0]
        return probabilities

    @cached_property
    def _session(self) -> Any:
        # Begun by whoever computes: ONNX Runtime has threads of its own, which do not survive a fork.
        from cds.engine.onnx_runtime import session  # noqa: PLC0415

        return session(self._model, threads=1)


def _model(weights: Mapping[str, NDArray[np.float32]], dilations: Sequence[int]) -> bytes:
    blocks = (_BLOCK.format(i=i, after=i + 1) for i, _ in enumerate(dilations))
    labelled = _LABELLED.format(last=len(dilations))
    model: ModelProto = parser.parse_model(f"{_GIVEN} {{{_WORDS}{''.join(blocks)}{labelled}\n}}")
    held = {name.replace(".", "_"): weight for name, weight in weights.items()} | {"one": np.array([1])}
    for i, dilation in enumerate(dilations):
        held |= _whole(i, held.pop(f"blocks_{i}_mix_weight"))
        held |= {f"around{i}": np.array([dilation] * 2), f"twice{i}": np.array([2 * dilation])}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in held.items())
    checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString()
    return serialized


def _whole(block: int, weight: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """``weight`` (outputs, inputs, 3) in whole numbers (3 x inputs, outputs), and what one of a column means."""
    columns = weight.transpose(2, 1, 0).reshape(-1, len(weight))
    unit = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float32).tiny) / _STEPS
    return {f"blocks_{block}_whole": np.round(columns / unit).astype(np.int8), f"blocks_{block}_unit": unit}
