"""Requests and answers of the Open Inference Protocol v2, as tritonclient puts them into bytes.

Its transport is not used: a client of it has one time limit for all requests, and one thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cds.engine.network import Inputs, Logits
from cds.errors import Away, ConfigurationError, ModelError

try:
    from tritonclient.http import (  # type: ignore[import-untyped]  # (an extra)
        InferenceServerClient,
        InferInput,
        InferRequestedOutput,
    )
except ImportError:
    raise ConfigurationError("CDS_ENGINE_URLS needs tritonclient: pip install 'sightline[remote]'") from None

HEADER_LENGTH = "Inference-Header-Content-Length"
"""Of the binary tensor data extension: as many bytes of the body are JSON, the rest are tensors."""
BINARY = "binary_tensor_data"
"""The extension's name in a server's metadata. MLServer does not have it: there tensors are JSON."""
OUTPUT = "logits"


@dataclass(frozen=True, slots=True)
class Message:
    """The body of one request and what its headers must say of it."""

    body: bytes
    headers: Mapping[str, str]


def request(inputs: Inputs, *, binary: bool) -> Message:
    """Ask for :data:`OUTPUT` of ``inputs``."""
    body, header_length = InferenceServerClient.generate_request_body(
        [_input(name, values, binary) for name, values in inputs.items()],
        outputs=[InferRequestedOutput(OUTPUT, binary_data=binary)],
    )
    if header_length is None:
        return Message(body, {"Content-Type": "application/json"})
    return Message(body, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(header_length)})


def _input(name: str, values: np.ndarray[Any, Any], binary: bool) -> InferInput:
    described = InferInput(name, list(values.shape), {"f": "FP32", "i": "INT64"}[values.dtype.kind])
    described.set_data_from_numpy(values, binary_data=binary)
    return described


def logits(message: Message, *, version: str, shape: tuple[int, int]) -> Logits:
    """The logits of an answer.

    Raises :class:`Away` for what cannot be read, and :class:`ModelError` where another version answered, or what
    it answered is not finite numbers in that ``shape``.
    """
    answered, values = _read(message)
    if answered != version:
        raise ModelError(f"version {answered or 'unknown'} of the model answered, not {version}")
    if values is None or values.shape != shape or values.dtype != np.float32:
        raise ModelError(f"the model did not answer with {OUTPUT} in the shape of {shape}")
    if not np.isfinite(values).all():
        raise ModelError(f"the model answered with {OUTPUT} that are no numbers")
    return values


def _read(message: Message) -> tuple[str, Logits | None]:
    """The version that answered and its logits, as far as it says."""
    length = message.headers.get(HEADER_LENGTH)
    try:
        result = InferenceServerClient.parse_response_body(message.body, header_length=length)
        return str(result.get_response().get("model_version", "")), result.as_numpy(OUTPUT)
    except Exception:  # struct.error, OverflowError, RecursionError …: whatever there is to stumble on
        raise Away("an answer could not be read") from None
