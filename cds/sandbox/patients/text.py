"""The sample patients' notes: hand-written, with places for who and when."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files

from cds.sandbox.patients.people import Person


class Days:
    """Dates by their distance in days from today, for ``{past[3]:%m/%d/%Y}`` in a note."""

    def __init__(self, today: date, direction: int) -> None:
        self._today = today
        self._direction = direction

    def __getitem__(self, days: int) -> date:
        return self._today + timedelta(days=self._direction * days)


def note(name: str, person: Person, now: date) -> str:
    """The note ``notes/{name}.txt`` as written about ``person`` on the day ``now``."""
    template = files("cds.sandbox.patients").joinpath("notes", f"{name}.txt").read_text("utf-8")
    return template.format(
        name=person.name,
        given=person.given,
        born=person.born,
        age=person.age(now),
        mrn=person.mrn,
        phone=person.phone,
        address=person.address,
        street=person.street,
        email=person.email,
        now=now,
        past=Days(now, -1),
        future=Days(now, +1),
    )
