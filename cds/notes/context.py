"""What is known of a patient beside the notes, as text of one fixed form in which a model reads it.

::

    Reason for exam: suspected pneumonia.
    Patient: 67-year-old woman.
    Symptoms: cough, fever, low oxygen saturation, high temperature, high white cell count.
    Problem list: chronic obstructive pulmonary disease.
    Vital signs: oxygen saturation 88 % (low); temperature 39.1 Cel (high).
    Laboratory: white cell count 18.6 10*3/uL (high).

Every line is left out where there is nothing to stand in it. It comes before all notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from cds.notes.observations import KNOWN, Group, Observation, flag

Sex = Literal["female", "male", "other", "unknown"]
"""FHIR R4 AdministrativeGender."""

OLDEST = 89
"""No older age is told (45 CFR 164.514(b)(2)(i)(C))."""


@dataclass(frozen=True, slots=True)
class PatientContext:
    """Each part may be missing; words are the caller's own and may hold identifiers."""

    age: int | None = None
    sex: Sex = "unknown"
    reason: str = ""
    symptoms: Sequence[str] = ()
    problems: Sequence[str] = ()
    observations: Sequence[Observation] = ()

    def deidentified(self, deidentify: Callable[[str], str]) -> Self:
        """The same, its words without identifiers."""
        return replace(
            self,
            reason=deidentify(self.reason),
            symptoms=[deidentify(symptom) for symptom in self.symptoms],
            problems=[deidentify(problem) for problem in self.problems],
        )

    def text(self) -> str:
        """The lines of this module's head; the empty string where nothing is known."""
        return "\n".join(f"{name}: {said.rstrip('.')}." for name, said in self._lines() if said)

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "Reason for exam", _in_one_line(self.reason)
        yield "Patient", _person(self.age, self.sex)
        # With commas, one sentence: symptoms are telling together, and with what is unusual.
        yield "Symptoms", ", ".join(_each_once([*self.symptoms, *self._unusual()]) if self.symptoms else ())
        yield "Problem list", "; ".join(_each_once(self.problems))
        for group in Group:
            of_group = dict.fromkeys(o for o in self.observations if _group(o) is group)
            yield group.value, "; ".join(map(_measured, of_group))

    def _unusual(self) -> Iterator[str]:
        for observation in self.observations:
            if how := flag(observation):
                yield f"{how} {KNOWN[observation.loinc].name}"


def _each_once(several: Iterable[str]) -> Iterable[str]:
    """In their order, however they are written."""
    once: dict[str, str] = {}
    for line in filter(None, map(_in_one_line, several)):
        once.setdefault(line.casefold(), line)
    return once.values()


def _in_one_line(words: str) -> str:
    return " ".join(words.split())


def _person(age: int | None, sex: Sex) -> str:
    noun = {"female": "woman", "male": "man"}.get(sex, "person")
    if age is None:
        return "" if noun == "person" else f"adult {noun}"
    return f"{age}-year-old {noun}" if age <= OLDEST else f"{noun} over {OLDEST} years old"


def _group(observation: Observation) -> Group:
    known = KNOWN.get(observation.loinc)
    return known.group if known else Group.LABORATORY


def _measured(observation: Observation) -> str:
    known = KNOWN.get(observation.loinc)
    name = known.name if known else f"LOINC {observation.loinc}"
    unusual = flag(observation)
    return f"{name} {observation.value:g} {observation.unit}" + (f" ({unusual})" if unusual else "")
