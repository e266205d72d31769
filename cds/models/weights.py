"""Tensors from a file. A pickle is a program: it is not opened unless a person has asked for that."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cds.errors import ModelError

Say = Callable[[str], None]

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Under one of these names training scripts put the state dict into a checkpoint."""


def state_dict(file: Path, *, allow_pickle: bool, say: Say) -> Mapping[str, Tensor]:
    """The tensors of a safetensors file, or of a PyTorch file where ``allow_pickle``.

    Raises :class:`ModelError` where the file is another thing or a pickle that nobody asked for.
    """
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (SafetensorError, OSError) as wrong:
            raise ModelError(f"{file.name} is no safetensors file that can be read: {wrong}") from None
    if not allow_pickle:
        raise ModelError(
            f"{file.name} is a pickle, which can run any program when it is opened; convert it to safetensors, or"
            " pass --allow-pickle if you trust where it came from"
        )
    return _tensors(_unpickled(file, say), file)


def _unpickled(file: Path, say: Say) -> Any:
    say(f"Warning: {file.name} is a pickle. Tensors alone are read first.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError):
            say(f"Warning: {file.name} holds more than tensors; it is opened whole and may run any program.")
        try:
            return torch.load(file, map_location="cpu", weights_only=False)
        except ModuleNotFoundError as lacking:
            raise ModelError(
                f"{file.name} holds objects of {lacking.name}, which is not installed here; save the model's"
                " state_dict() in its place"
            ) from None
        except Exception as wrong:  # a pickle raises what it likes
            raise ModelError(f"{file.name} is no PyTorch file that can be read ({type(wrong).__name__})") from None


def _tensors(loaded: Any, file: Path) -> Mapping[str, Tensor]:
    """The state dict within what was saved: a whole model, a checkpoint, or the state dict itself."""
    if isinstance(loaded, torch.nn.Module):
        loaded = loaded.state_dict()
    if isinstance(loaded, Mapping):
        wrapped = next((loaded[name] for name in WRAPPERS if isinstance(loaded.get(name), Mapping)), loaded)
        tensors = {str(name): value for name, value in wrapped.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
    raise ModelError(f"{file.name} holds no state dict")
