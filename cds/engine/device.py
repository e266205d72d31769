"""Where models run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.errors import ModelError

if TYPE_CHECKING:
    import torch


def torch_device(wanted: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda``; raise :class:`ModelError` for a CUDA device that is not there."""
    import torch  # noqa: PLC0415 (seconds; only who scores pays)

    cuda = torch.cuda.is_available()
    if wanted == "auto":
        return torch.device("cuda" if cuda else "cpu")
    if wanted == "cuda" and not cuda:
        raise ModelError("CDS_DEVICE is cuda and there is no CUDA device here")
    return torch.device(wanted)
