"""Synthetic frontal chest radiographs: the projection of a simple anatomy, with findings, from a seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cds.sandbox.radiograph.body import Body, Sex, Side, View
from cds.sandbox.radiograph.chest import Chest
from cds.sandbox.radiograph.devices import monitoring
from cds.sandbox.radiograph.film import Exposure, expose, letter
from cds.sandbox.radiograph.findings import Finding, apply, remodel
from cds.sandbox.radiograph.lateral import render_lateral
from cds.sandbox.radiograph.plate import FIELD_CM, Plate

VERSION = "2"
"""Changes whenever the same arguments would give another film."""

TRAINING_SEEDS = 1_000_000
"""Training uses seeds from here on; sample patients use seeds below, so no model has seen them."""


def render(
    seed: int,
    *,
    size: tuple[int, int] = (1024, 1024),
    findings: Mapping[str, float] | None = None,
    sides: Mapping[str, Side] | None = None,
    view: View = "PA",
    sex: Sex = "F",
) -> NDArray[np.uint16]:
    """One film of ``size`` (rows, columns), 12 bits, bright where dense (MONOCHROME2).

    ``findings`` maps keys of ``cds.findings.FINDINGS`` to a severity of 0 to 1; ``sides`` says where each lies, or
    the seed does. The same arguments give the same film, and another size the same patient.
    Raises :class:`ValueError` for a finding that cannot be drawn.
    """
    anatomy, disease, devices, exposure, grain = np.random.default_rng(seed).spawn(5)
    body = Body.draw(anatomy, sex, view)
    where = sides or {}
    present = [Finding.of(key, much, where.get(key), disease) for key, much in sorted((findings or {}).items())]
    body = remodel(body, present)
    stance = {"turn": anatomy.normal(0, 0.02), "magnify": anatomy.uniform(0.93, 1.12)}
    plate = Plate(size, shift=(anatomy.normal(0, 0.6), anatomy.normal(0, 0.5)), **stance)
    chest = Chest.build(plate, body, anatomy)
    apply(chest, present, disease)
    water = chest.water() + monitoring(plate, body, devices)
    tone = expose(plate, water, Exposure.draw(exposure, portable=view == "AP"), grain)
    return letter(tone, grain, view)


__all__ = ["FIELD_CM", "TRAINING_SEEDS", "VERSION", "Sex", "Side", "View", "render", "render_lateral"]
