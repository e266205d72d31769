"""A Hugging Face directory: an image classifier, or a text classifier with its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

import cds.engine.architectures  # noqa: F401 (registers ours beside Hugging Face's)
from cds.errors import ModelError
from cds.models.source import MAX_TOKENS, STRIDE, Source

SIDE = 224


def read(directory: Path, labels: Sequence[str] | None, *, allow_pickle: bool) -> Source:
    """Raise :class:`ModelError` where it is no classifier, its weights are incomplete, or they are a pickle."""
    safe = any(directory.glob("*.safetensors"))
    if not safe and not allow_pickle:
        raise ModelError(
            f"{directory.name} has no safetensors file; its weights are a pickle, which can run any program when"
            " it is opened. Pass --allow-pickle if you trust where they came from"
        )
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as wrong:
        raise ModelError(f"{directory.name} is no model that Hugging Face knows: {_first_line(wrong)}") from None
    if config.model_type in AutoModelForSequenceClassification._model_mapping._model_mapping:
        return _note(directory, labels, safe=safe)
    return _image(directory, labels, safe=safe)


def _image(directory: Path, labels: Sequence[str] | None, *, safe: bool) -> Source:
    model = _complete(AutoModelForImageClassification, directory, safe=safe)
    return Source(
        kind="image",
        form=f"Hugging Face image classifier ({model.config.model_type})",
        labels=_labels(model.config, labels),
        input=_image_input(directory, model.config),
        activation=_activation(model.config),
        write=model.save_pretrained,
    )


def _note(directory: Path, labels: Sequence[str] | None, *, safe: bool) -> Source:
    model = _complete(AutoModelForSequenceClassification, directory, safe=safe)
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as wrong:
        raise ModelError(f"{directory.name} has no tokenizer that loads: {_first_line(wrong)}") from None
    if not tokenizer.is_fast:
        raise ModelError(f"{directory.name} has a slow tokenizer, which cannot cut a note into windows")
    longest = min(
        MAX_TOKENS, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", MAX_TOKENS)
    )

    def write(target: Path) -> None:
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)

    return Source(
        kind="note",
        form=f"Hugging Face text classifier ({model.config.model_type})",
        labels=_labels(model.config, labels),
        input={"max_tokens": int(longest), "stride": min(STRIDE, int(longest) // 4), "pooling": "max"},
        activation=_activation(model.config),
        write=write,
    )


def _complete(auto: Any, directory: Path, *, safe: bool) -> Any:
    """The model; one whose head was made up on the spot is no classifier."""
    try:
        model, loading = auto.from_pretrained(
            directory, local_files_only=True, use_safetensors=safe, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as wrong:
        raise ModelError(f"{directory.name} does not load as a classifier: {_first_line(wrong)}") from None
    lacking = sorted(loading["missing_keys"]) + sorted(str(key) for key in loading.get("mismatched_keys", ()))
    if lacking:
        raise ModelError(
            f"{directory.name} lacks weights of a classifier, such as {lacking[0]}: was it fine-tuned?"
        )
    return model.eval()


def _labels(config: Any, given: Sequence[str] | None) -> tuple[str, ...]:
    labels = tuple(given) if given is not None else tuple(config.id2label[i] for i in range(config.num_labels))
    if len(labels) != config.num_labels:
        raise ModelError(f"there are {len(labels)} labels for {config.num_labels} outputs")
    return labels


def _activation(config: Any) -> str:
    """As Hugging Face's own pipelines decide it."""
    several = config.problem_type == "multi_label_classification" or config.num_labels == 1
    return "sigmoid" if several else "softmax"


def _image_input(directory: Path, config: Any) -> dict[str, Any]:
    """What ``preprocessor_config.json`` says of size and normalisation."""
    stated = _preprocessor(directory)
    crop = bool(stated.get("do_center_crop", False))
    height, width = _size(stated.get("crop_size") if crop else stated.get("size"), config)
    normalised = stated.get("do_normalize", True)
    channels = int(getattr(config, "num_channels", 3))
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "mean": _per_channel(stated.get("image_mean", 0.5) if normalised else 0.0, channels),
        "std": _per_channel(stated.get("image_std", 0.5) if normalised else 1.0, channels),
        "fit": "crop" if crop or "shortest_edge" in _mapping(stated.get("size")) else "fill",
        "contrast": "keep",
    }


def _preprocessor(directory: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads((directory / "preprocessor_config.json").read_text()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as wrong:
        raise ModelError(f"{directory.name}/preprocessor_config.json cannot be read: {wrong}") from None


def _size(stated: Any, config: Any) -> tuple[int, int]:
    sizes = _mapping(stated)
    if "height" in sizes and "width" in sizes:
        return int(sizes["height"]), int(sizes["width"])
    side = sizes.get("shortest_edge", stated if isinstance(stated, int) else getattr(config, "image_size", SIDE))
    return int(side), int(side)


def _per_channel(value: Any, channels: int) -> list[float]:
    values = [float(number) for number in (value if isinstance(value, list) else [value])]
    return values if len(values) == channels else [values[0]] * channels


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
