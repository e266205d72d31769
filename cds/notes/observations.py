"""Laboratory values and vital signs by LOINC code: what they are called, their units, and what is usual in adults.

Reference limits are those of common use, for words such as "high" in the text that a model reads; they are no
laboratory's own and decide nothing by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LOINC = r"[1-9][0-9]{0,6}-[0-9]"
"""How a code is written, its last digit a check digit."""


class Group(StrEnum):
    """Where an observation stands in the text."""

    VITAL_SIGNS = "Vital signs"
    LABORATORY = "Laboratory"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is usual, both ends included; infinite where there is no such end."""

    low: float
    high: float
    least: float = 0
    most: float = 1e9
    """What is below or above was never measured in anybody: another unit was meant, or another key hit."""


@dataclass(frozen=True, slots=True)
class Known:
    """An observation that we have a name for, and its limits by UCUM unit: no other unit is understood."""

    name: str
    group: Group
    limits: Mapping[str, Limits]


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured value."""

    loinc: str
    value: float
    unit: str
    """UCUM."""


_V, _L = Group.VITAL_SIGNS, Group.LABORATORY
_NO_LOW, _NO_HIGH = float("-inf"), float("inf")
_SATURATION = {"%": Limits(94, _NO_HIGH, most=100)}
_CELLS = {"10*3/uL": Limits(4, 11, most=2000), "10*9/L": Limits(4, 11, most=2000)}
_TEMPERATURE = {"Cel": Limits(36, 37.9, least=10, most=47), "[degF]": Limits(96.8, 100.2, least=50, most=117)}

KNOWN: Mapping[str, Known] = {
    "8310-5": Known("temperature", _V, _TEMPERATURE),
    "8331-1": Known("temperature", _V, _TEMPERATURE),
    "8867-4": Known("heart rate", _V, {"/min": Limits(50, 100, most=400)}),
    "9279-1": Known("respiratory rate", _V, {"/min": Limits(12, 20, most=200)}),
    "8480-6": Known("systolic blood pressure", _V, {"mm[Hg]": Limits(90, 140, most=400)}),
    "8462-4": Known("diastolic blood pressure", _V, {"mm[Hg]": Limits(50, 90, most=400)}),
    "2708-6": Known("oxygen saturation", _V, _SATURATION),
    "59408-5": Known("oxygen saturation", _V, _SATURATION),
    "6690-2": Known("white cell count", _L, _CELLS),
    "26464-8": Known("white cell count", _L, _CELLS),
    "718-7": Known("haemoglobin", _L, {"g/dL": Limits(12, 17.5, most=35), "g/L": Limits(120, 175, most=350)}),
    "777-3": Known(
        "platelets", _L, {"10*3/uL": Limits(150, 400, most=10_000), "10*9/L": Limits(150, 400, most=10_000)}
    ),
    "1988-5": Known(
        "C-reactive protein", _L, {"mg/L": Limits(_NO_LOW, 10, most=2000), "mg/dL": Limits(_NO_LOW, 1, most=200)}
    ),
    "33959-8": Known(
        "procalcitonin",
        _L,
        {"ng/mL": Limits(_NO_LOW, 0.25, most=10_000), "ug/L": Limits(_NO_LOW, 0.25, most=10_000)},
    ),
    "2524-7": Known("lactate", _L, {"mmol/L": Limits(_NO_LOW, 2, most=100)}),
    "30934-4": Known("BNP", _L, {"pg/mL": Limits(_NO_LOW, 100), "ng/L": Limits(_NO_LOW, 100)}),
    "33762-6": Known("NT-proBNP", _L, {"pg/mL": Limits(_NO_LOW, 300), "ng/L": Limits(_NO_LOW, 300)}),
    "6598-7": Known("troponin T", _L, {"ug/L": Limits(_NO_LOW, 0.014), "ng/mL": Limits(_NO_LOW, 0.014)}),
    "48065-7": Known("D-dimer", _L, {"ug/L{FEU}": Limits(_NO_LOW, 500), "ng/mL{FEU}": Limits(_NO_LOW, 500)}),
    "2160-0": Known("creatinine", _L, {"mg/dL": Limits(0.5, 1.3, most=100)}),
    "2345-7": Known("glucose", _L, {"mg/dL": Limits(70, 200, most=5000)}),
    "2951-2": Known("sodium", _L, {"mmol/L": Limits(135, 145, least=50, most=250)}),
    "2823-3": Known("potassium", _L, {"mmol/L": Limits(3.5, 5.1, most=25)}),
    "1751-7": Known("albumin", _L, {"g/dL": Limits(3.5, 5.5, most=10), "g/L": Limits(35, 55, most=100)}),
    "2744-1": Known("arterial pH", _L, {"[pH]": Limits(7.35, 7.45, least=6, most=8.5)}),
    "2019-8": Known("arterial pCO2", _L, {"mm[Hg]": Limits(35, 45, most=300), "kPa": Limits(4.7, 6.0, most=40)}),
    "2703-7": Known(
        "arterial pO2", _L, {"mm[Hg]": Limits(75, _NO_HIGH, most=800), "kPa": Limits(10, _NO_HIGH, most=107)}
    ),
}


def is_loinc(code: str) -> bool:
    """Whether ``code`` has the form and the check digit of a LOINC code (mod 10, LOINC Users' Guide)."""
    if not re.fullmatch(LOINC, code):
        return False
    number, _, digit = code.partition("-")
    doubled = int("".join(reversed(number))[::2][::-1]) * 2
    total = sum(map(int, str(doubled))) + sum(map(int, "".join(reversed(number))[1::2]))
    return -total % 10 == int(digit)


def flag(observation: Observation) -> str:
    """``high`` or ``low``; empty for what is usual, and for what we do not know."""
    known = KNOWN.get(observation.loinc)
    limits = known.limits.get(observation.unit) if known else None
    if limits is None or limits.low <= observation.value <= limits.high:
        return ""
    return "high" if observation.value > limits.high else "low"
