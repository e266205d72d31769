"""Both models in this process, on a CPU or a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.findings import PartScore

if TYPE_CHECKING:
    import torch


class LocalEngine:
    """Loads two bundles once and scores from any thread.

    Importing torch and transformers takes seconds, so it happens on construction, not on import.
    """

    def __init__(self, image: Bundle, note: Bundle, *, device: str = "auto", threads: int = 0) -> None:
        import torch  # noqa: PLC0415 (seconds; only who scores pays)
        from transformers.utils import logging  # noqa: PLC0415

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = torch.device(_device(device, cuda=torch.cuda.is_available()))
        self.image_bundle = image.expect("image")
        self.note_bundle = note.expect("note")
        self._image_model = self._load_image()
        self._note_model, self._tokenizer = self._load_note()

    def score_image(self, pixels: NDArray[np.float32]) -> PartScore:
        """``pixels``: (height, width) as the bundle's ``input`` asks, 0..1, dense tissue bright."""
        spec = self.image_bundle.input
        if pixels.shape != (spec["height"], spec["width"]):
            raise ModelError(f"the image model reads {spec['height']} x {spec['width']} pixels")
        x = self._torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32)).to(self._device)
        x = x.expand(1, spec["channels"], *pixels.shape)
        mean, std = (self._torch.tensor(spec[k], device=self._device).view(1, -1, 1, 1) for k in ("mean", "std"))
        with self._torch.inference_mode():
            logits = self._image_model(pixel_values=(x - mean) / std).logits[0]
        return self.image_bundle.score(logits.float().tolist())

    def score_note(self, text: str) -> PartScore:
        """De-identified text of any length: overlapping windows, pooled per finding by the maximum."""
        spec = self.note_bundle.input
        windows = self._tokenizer(
            text,
            truncation=True,
            max_length=spec["max_tokens"],
            stride=spec["stride"],
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        windows.pop("overflow_to_sample_mapping", None)
        with self._torch.inference_mode():
            logits = self._note_model(**windows.to(self._device)).logits.max(dim=0).values
        return self.note_bundle.score(logits.float().tolist())

    def warm_up(self) -> None:
        """Run each model once, so that the first request does not pay for lazy initialisation."""
        spec = self.image_bundle.input
        self.score_image(np.zeros((spec["height"], spec["width"]), np.float32))
        self.score_note("warm up")

    def _load_image(self) -> torch.nn.Module:
        from transformers import AutoModelForImageClassification  # noqa: PLC0415

        import cds.engine.architectures  # noqa: F401, PLC0415 (registers ours beside Hugging Face's)

        model = self._ready(AutoModelForImageClassification, self.image_bundle)
        # Convolutions read neighbouring channels together: nearly twice as fast on a CPU.
        return model.to(memory_format=self._torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _load_note(self) -> tuple[torch.nn.Module, Any]:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415

        model = self._ready(AutoModelForSequenceClassification, self.note_bundle)
        return model, AutoTokenizer.from_pretrained(self.note_bundle.directory, local_files_only=True)

    def _ready(self, auto: Any, bundle: Bundle) -> torch.nn.Module:
        try:
            model = auto.from_pretrained(bundle.directory, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError, RuntimeError) as wrong:
            raise ModelError(f"model bundle {bundle.directory.name} does not load: {wrong}") from None
        if model.config.num_labels != len(bundle.findings):
            raise ModelError(f"model bundle {bundle.directory.name}: one output per finding is needed")
        prepared: torch.nn.Module = model.float().eval().to(self._device)
        return prepared


def _device(wanted: str, *, cuda: bool) -> str:
    if wanted == "auto":
        return "cuda" if cuda else "cpu"
    if wanted == "cuda" and not cuda:
        raise ModelError("CDS_DEVICE is cuda and there is no CUDA device here")
    return wanted
