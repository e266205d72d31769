"""Whom an event is about, and by what it is found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cds.store.search.index import Entry
from cds.store.search.index import entry as index_entry

_PATIENT = re.compile(r"(?:.*/)?(Patient/[A-Za-z0-9.-]{1,64})")


def entry(event: Mapping[str, Any]) -> Entry:
    """What the search index keeps of an event."""
    return index_entry(event, datetime.fromisoformat(event["recorded"]), patient_of(event))


def patient_of(event: Mapping[str, Any]) -> str | None:
    """The patient whom the event is about, as ``Patient/{id}``: events do not say on which EHR."""
    for entity in event.get("entity", ()):
        if found := _PATIENT.fullmatch(entity.get("what", {}).get("reference", "")):
            return found[1]
    return None
