"""What goes into the log: our own words. Never a URL of an EHR, for it names a patient."""

from __future__ import annotations

import logging
import traceback

QUIET = ("httpx", "httpcore", "presidio-analyzer")
"""Libraries that write what they call, or what they load, at every turn."""


def configure(level: str) -> None:
    """``level`` for all, warnings alone from those that talk too much."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def kind_and_place(defect: Exception) -> str:
    """All that the log may have of a fault of ours: its message may quote patient data."""
    place = traceback.extract_tb(defect.__traceback__)[-1]
    return f"{type(defect).__name__} at {place.name}:{place.lineno}"
