"""Where models run."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cds.errors import ModelError

if TYPE_CHECKING:
    import torch


def on_cpu(wanted: str) -> bool:
    """Whether models run on the CPU. Where there is no driver for CUDA, torch need not be imported to tell.

    Raises as :func:`torch_device` does.
    """
    return wanted == "cpu" or (wanted == "auto" and not _has_driver()) or torch_device(wanted).type == "cpu"


def torch_device(wanted: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda``; raise :class:`ModelError` for a CUDA device that is not there."""
    import torch  # noqa: PLC0415 (seconds; only who scores pays)

    cuda = torch.cuda.is_available()
    if wanted == "auto":
        return torch.device("cuda" if cuda else "cpu")
    if wanted == "cuda" and not cuda:
        raise ModelError("CDS_DEVICE is cuda and there is no CUDA device here")
    return torch.device(wanted)


def _has_driver() -> bool:
    with suppress(OSError):
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return True
    return False
