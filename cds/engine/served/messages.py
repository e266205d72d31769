"""The server's side of the Open Inference Protocol v2 over HTTP, with its binary tensor data extension."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits
from cds.engine.served.tensors import DATATYPES, inputs_of, output_of
from cds.engine.version_number import version_number
from cds.errors import RequestError

HEADER_LENGTH = "Inference-Header-Content-Length"
SERVER = {"name": "sightline", "version": "2", "extensions": ["binary_tensor_data"]}
"""Answers ``GET /v2``."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to infer. ``binary``: how the answer is to come."""

    inputs: Inputs
    id: str
    binary: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, and the headers that say how to read it."""

    body: bytes
    headers: Mapping[str, str]


def metadata(bundle: Bundle, versions: Sequence[str]) -> dict[str, Any]:
    """What ``GET /v2/models/{name}`` answers; ``bundle`` is one of those versions."""
    return {
        "name": bundle.version.name,
        "versions": list(versions),
        "platform": "sightline_bundle",
        "inputs": [tensor.as_json() for tensor in inputs_of(bundle)],
        "outputs": [output_of(bundle).as_json()],
    }


def read(body: bytes, header_length: str | None) -> Asked:
    """Raises :class:`RequestError` for what is no such request."""
    try:
        length = len(body) if header_length is None else int(header_length)
        asked, rest = orjson.loads(body[:length]), memoryview(body)[length:]
        inputs: dict[str, NDArray[Any]] = {}
        for described in asked["inputs"]:
            inputs[described["name"]], rest = _tensor(described, rest)
        return Asked(inputs, str(asked.get("id", "")), _wants_binary(asked))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        raise RequestError("this is no inference request of the Open Inference Protocol v2") from None


def _tensor(described: Mapping[str, Any], rest: memoryview) -> tuple[NDArray[Any], memoryview]:
    """A tensor, and what of the binary data is left for the others."""
    dtype, shape = DATATYPES[described["datatype"]], described["shape"]
    size = described.get("parameters", {}).get("binary_data_size")
    if size is None:
        return np.array(described["data"], dtype).reshape(shape), rest
    if not 0 <= size <= len(rest) or size != math.prod(shape) * np.dtype(dtype).itemsize:
        raise ValueError
    return np.frombuffer(rest[:size], dtype).reshape(shape), rest[size:]


def _wants_binary(asked: Mapping[str, Any]) -> bool:
    """As asked of the output by name, or of all."""
    for output in asked.get("outputs", ()):
        if "binary_data" in output.get("parameters", {}):
            return bool(output["parameters"]["binary_data"])
    return bool(asked.get("parameters", {}).get("binary_data_output", False))


def answer(bundle: Bundle, asked: Asked, logits: Logits) -> Answer:
    """``logits`` as they were asked for."""
    data = np.ascontiguousarray(logits, "<f4").tobytes() if asked.binary else b""
    how = {"parameters": {"binary_data_size": len(data)}} if asked.binary else {"data": logits.ravel().tolist()}
    output = {"name": "logits", "datatype": "FP32", "shape": list(logits.shape), **how}
    header = orjson.dumps(
        {
            "model_name": bundle.version.name,
            "model_version": version_number(bundle.version),
            **({"id": asked.id} if asked.id else {}),
            "outputs": [output],
        }
    )
    if not asked.binary:
        return Answer(header, {"Content-Type": "application/json"})
    return Answer(header + data, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))})
