"""The SMART App Launch 2.2 app that a clinician opens from a card: why we said so, in one glance."""

from __future__ import annotations

from cds.smart.app import blueprint
from cds.smart.services import Prescreens, SmartServices

__all__ = ["Prescreens", "SmartServices", "blueprint"]
