"""Changes that leave a finding what it is. No mirroring: the heart is on the left."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ROTATION = math.radians(8)
SCALE = (0.85, 1.12)
SHIFT = 0.07
GAMMA = (0.7, 1.4)
CONTRAST = (0.75, 1.2)
NOISE = 0.03
BLURRED = 0.4
"""The share of films that are blurred, so that a folder's own sharpness is no cue."""


def augmented(films: Tensor, size: int) -> Tensor:
    """Films (n, 1, H, W) in 0..1, each moved, re-exposed, blurred and made noisy at random: (n, 1, size, size)."""
    return _noisy(_blurred(_exposed(_moved(films, size)))).clamp(0.0, 1.0)


def _moved(films: Tensor, size: int) -> Tensor:
    """Rotation, shift, and height and width scaled apart, as squares were made of films of any shape."""
    n = len(films)
    angle = _uniform(n, -ROTATION, ROTATION)
    wide, high = 1 / _uniform(n, *SCALE), 1 / _uniform(n, *SCALE)
    shift = _uniform(2 * n, -2 * SHIFT, 2 * SHIFT).view(n, 2)
    rows = [
        wide * angle.cos(),
        -high * angle.sin(),
        shift[:, 0],
        wide * angle.sin(),
        high * angle.cos(),
        shift[:, 1],
    ]
    grid = functional.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 1, size, size], align_corners=False)
    return functional.grid_sample(films, grid, padding_mode="border", align_corners=False)


def _exposed(films: Tensor) -> Tensor:
    n = len(films)
    gamma, contrast = _each(_uniform(n, *GAMMA)), _each(_uniform(n, *CONTRAST))
    return (films.clamp(1e-4, 1.0) ** gamma - 0.5) * contrast + 0.5


def _blurred(films: Tensor) -> Tensor:
    soft = functional.avg_pool2d(functional.pad(films, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = _each((torch.rand(len(films)) < BLURRED) * torch.rand(len(films)))
    return films + share * (soft - films)


def _noisy(films: Tensor) -> Tensor:
    return films + torch.randn_like(films) * _each(_uniform(len(films), 0.0, NOISE))


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n) * (high - low) + low


def _each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
