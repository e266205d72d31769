"""What a bundle's network reads, tensor by tensor: told in its metadata, and held against every request.

A token beyond the vocabulary would not only fail: on a GPU it ends the whole process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.engine.network import Inputs
from cds.errors import RequestError

DATATYPES: dict[str, type[np.generic]] = {"FP32": np.float32, "INT64": np.int64}
"""Of the protocol's datatypes those that occur."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """``shape``: -1 for any extent from 1 on, of the last up to ``longest``. Tokens lie in 0..``below`` - 1."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    below: int | None = None
    longest: int | None = None

    def as_json(self) -> dict[str, Any]:
        """An entry of the metadata's ``inputs`` or ``outputs``."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def check(self, values: NDArray[Any]) -> None:
        """Raise :class:`RequestError` where ``values`` are not such."""
        fits = len(values.shape) == len(self.shape) and all(
            got == asked or (asked == -1 and got >= 1) for got, asked in zip(values.shape, self.shape, strict=True)
        )
        if not fits or values.dtype != DATATYPES[self.datatype]:
            raise RequestError(f"{self.name} must be {self.datatype} in the shape of {list(self.shape)}")
        if self.longest is not None and values.shape[-1] > self.longest:
            raise RequestError(f"{self.name} must not be longer than {self.longest}")
        if self.below is not None and (values.min() < 0 or values.max() >= self.below):
            raise RequestError(f"{self.name} must be 0 to {self.below - 1}")


def inputs_of(bundle: Bundle) -> tuple[Tensor, ...]:
    """The batch comes first; it may have any length."""
    if bundle.version.kind == "image":
        spec = bundle.input
        return (Tensor("pixel_values", "FP32", (-1, spec["channels"], spec["height"], spec["width"])),)
    config = json.loads((bundle.directory / "config.json").read_text())
    below = {
        "input_ids": config["vocab_size"],
        "token_type_ids": config.get("type_vocab_size", 1),
        "attention_mask": 2,
    }
    return tuple(
        Tensor(name, "INT64", (-1, -1), most, config["max_position_embeddings"]) for name, most in below.items()
    )


def output_of(bundle: Bundle) -> Tensor:
    return Tensor("logits", "FP32", (-1, len(bundle.findings)))


def check(inputs: Inputs, wanted: Iterable[Tensor]) -> None:
    """Raise :class:`RequestError` where ``inputs`` are not those, each of the same number of rows."""
    tensors = {tensor.name: tensor for tensor in wanted}
    if set(inputs) != set(tensors):
        raise RequestError(f"the inputs are {', '.join(tensors)}")
    for name, values in inputs.items():
        tensors[name].check(values)
    if len({len(values) for values in inputs.values()}) != 1:
        raise RequestError("the inputs must have the same number of rows")
