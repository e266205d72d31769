"""The network of a bundle: whatever it was made with, it gives one log-odds per finding of the bundle."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention
from transformers.utils import logging

import cds.engine.architectures  # noqa: F401 (registers ours beside Hugging Face's)
from cds.engine.bundles import Bundle
from cds.engine.first_token import first_token_alone
from cds.engine.image import black, input_of
from cds.errors import ModelError

ACTIVATIONS = ("sigmoid", "softmax", "none")
"""What makes probabilities of the outputs: each by itself, all against each other, or nothing: they are such."""
ONNX_FILE = "model.onnx"
NEAREST = 1e-6
"""A probability of 0 or 1 counts as one that is this far from it."""


def image_network(bundle: Bundle) -> nn.Module:
    """Called with ``pixel_values``; raises :class:`ModelError` where it does not load or fit the bundle."""
    if (bundle.directory / ONNX_FILE).is_file():
        held = OnnxNetwork(bundle)
        return _fitted(held, bundle, held.outputs)
    # Convolutions read neighbouring channels together: nearly twice as fast on a CPU.
    network = _transformer(AutoModelForImageClassification, bundle)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def note_network(bundle: Bundle) -> nn.Module:
    """Called with what the tokenizer gives; raises :class:`ModelError` as above."""
    return _transformer(AutoModelForSequenceClassification, bundle)


def network_of(bundle: Bundle) -> nn.Module:
    """That of an image or a note bundle, as its kind says."""
    return {"image": image_network, "note": note_network}[bundle.version.kind](bundle)


def log_odds(outputs: Tensor, activation: str) -> Tensor:
    """(batch, outputs) of a network to the logit of each output's probability."""
    if activation == "softmax":
        rest = outputs.unsqueeze(1).expand(-1, outputs.shape[1], -1)
        itself = torch.eye(outputs.shape[1], dtype=torch.bool, device=outputs.device)
        return outputs - rest.masked_fill(itself, -torch.inf).logsumexp(dim=2)
    if activation == "none":
        # What is no probability becomes no number, rather than a very sure one.
        return torch.logit(outputs, eps=NEAREST).masked_fill((outputs < 0) | (outputs > 1), torch.nan)
    return outputs


class Chosen(nn.Module):
    """Of a network's outputs those that a bundle's findings name, as log-odds."""

    def __init__(self, network: nn.Module, outputs: list[int], activation: str) -> None:
        super().__init__()
        self.network = network
        self._outputs = outputs
        self._activation = activation

    def forward(self, **inputs: Tensor) -> ImageClassifierOutputWithNoAttention:
        logits = log_odds(self.network(**inputs).logits.float(), self._activation)
        return ImageClassifierOutputWithNoAttention(logits=logits[:, self._outputs])


class OnnxNetwork(nn.Module):
    """An ONNX file with one image for its input and its first output (batch, outputs); runs on the CPU."""

    def __init__(self, bundle: Bundle) -> None:
        """Raise :class:`ModelError` where it does not load, or cannot be run on what the bundle asks for."""
        super().__init__()
        from cds.engine.onnx_runtime import row_of, session  # noqa: PLC0415 (servers of other makers may do without)

        self._row_of = row_of
        try:
            self._session = session(str(bundle.directory / ONNX_FILE), torch.get_num_threads())
        except Exception as wrong:  # onnxruntime raises classes of its own that have no common base
            raise ModelError(
                f"{bundle.directory.name}: the ONNX file does not load ({type(wrong).__name__})"
            ) from None
        self.outputs = len(row_of(self._session, input_of(bundle, black(bundle))))
        """How many there are; only running it shows."""

    def forward(self, pixel_values: Tensor) -> ImageClassifierOutputWithNoAttention:
        rows = [torch.from_numpy(self._row_of(self._session, x[None].cpu().numpy())) for x in pixel_values]
        return ImageClassifierOutputWithNoAttention(logits=torch.stack(rows).to(pixel_values.device))


def _transformer(auto: Any, bundle: Bundle) -> nn.Module:
    logging.disable_progress_bar()
    try:
        network = auto.from_pretrained(bundle.directory, local_files_only=True, use_safetensors=True)
    except Exception as wrong:  # whatever transformers and safetensors raise: a user's files may hold anything
        line = (str(wrong).splitlines() or [""])[0]
        raise ModelError(f"model bundle {bundle.directory.name} does not load: {line}") from None
    return _fitted(first_token_alone(network.float()), bundle, network.config.num_labels)


def _fitted(network: nn.Module, bundle: Bundle, outputs: int) -> nn.Module:
    """``outputs``: how many the network has."""
    chosen = list(bundle.manifest.get("outputs", range(len(bundle.findings))))
    activation = bundle.manifest.get("activation", "sigmoid")
    if activation not in ACTIVATIONS or len(chosen) != len(bundle.findings):
        raise ModelError(f"model bundle {bundle.directory.name} misdescribes its outputs")
    if not ("outputs" in bundle.manifest or outputs == len(chosen)):
        raise ModelError(f"model bundle {bundle.directory.name}: one output per finding is needed")
    if not all(output in range(outputs) for output in chosen):
        raise ModelError(f"model bundle {bundle.directory.name} names outputs that its network does not have")
    plain = activation == "sigmoid" and chosen == list(range(outputs))
    return network.eval() if plain else Chosen(network, chosen, activation).eval()
