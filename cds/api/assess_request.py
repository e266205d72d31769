"""The request of ``POST /api/v1/assess``, checked whole: whatever is wrong is named by its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cds.errors import RequestError
from cds.notes.context import PatientContext, Sex
from cds.notes.observations import KNOWN, LOINC, Observation, is_loinc

MAX_NOTE_CHARS = 50_000
MOST_TOLD = 50
"""Fields that are named as wrong: an answer is not to be longer than what was sent."""
MOST = 1e9
"""Of a measured value, whatever its unit."""


def _worded(words: str) -> str:
    if not any(map(str.isalnum, words)):
        raise PydanticCustomError("words", "it must have a letter or a digit")
    return _legible(words)


def _legible(words: str) -> str:
    if not all(character.isprintable() or character.isspace() for character in words):
        raise PydanticCustomError("characters", "it must have no control or invisible characters")
    return words


_Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_worded)
]

UNITS = frozenset(unit for known in KNOWN.values() for unit in known.limits) | frozenset(
    {
        "1",
        "10*6/uL",
        "10*12/L",
        "fL",
        "pg",
        "g",
        "mg",
        "ug/dL",
        "umol/L",
        "nmol/L",
        "pmol/L",
        "mmol/mol",
        "mosm/kg",
    }
    | {"U/L", "[IU]/L", "m[IU]/L", "mm/h", "s", "min", "{INR}", "{ratio}", "L/min", "mL/min", "kg", "cm", "kg/m2"}
)
"""UCUM units that are understood: a unit is no place for other words."""


class InvalidFields(RequestError):
    """Fields that are not as asked."""

    status = 422

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        pointer, detail = errors[0]
        super().__init__(f"{pointer}: {detail}")
        self.errors = errors
        """JSON Pointers (RFC 6901, as URI fragments) with what is wrong there."""


class Measured(BaseModel):
    """A laboratory value or vital sign."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: Annotated[str, StringConstraints(pattern=f"^{LOINC}$")] = Field(
        description="LOINC, with its check digit"
    )
    value: Annotated[float, Field(ge=-1e6, le=MOST, allow_inf_nan=False)]
    unit: Annotated[str, StringConstraints(max_length=20)] = Field(description="UCUM")

    @model_validator(mode="after")
    def _of_the_code(self) -> Measured:
        if not is_loinc(self.code):
            raise PydanticCustomError("loinc", "the code's check digit is not that of a LOINC code")
        known = KNOWN.get(self.code)
        units = sorted(known.limits if known else UNITS)
        if self.unit not in units:
            raise PydanticCustomError("unit", "the unit must be one of {units}", {"units": ", ".join(units)})
        limits = known.limits[self.unit] if known else None
        if limits and not limits.least <= self.value <= limits.most:
            raise PydanticCustomError("value", "no such value can be measured in this unit")
        return self


class AssessRequest(BaseModel):
    """Who the patient is only by age and sex; identifiers in the texts are taken out before a model reads."""

    model_config = ConfigDict(extra="forbid", strict=True)

    symptoms: Annotated[list[_Words], Field(min_length=1, max_length=20)]
    age: Annotated[int, Field(ge=0, le=150, description="In years")] | None = None
    sex: Sex = "unknown"
    reason: Annotated[str, StringConstraints(max_length=1000), AfterValidator(_legible)] = Field(
        "", description="What the order is for"
    )
    problems: Annotated[list[_Words], Field(max_length=50)] = []
    observations: Annotated[list[Measured], Field(max_length=100)] = []
    note: Annotated[str, StringConstraints(max_length=MAX_NOTE_CHARS)] = ""

    def context(self) -> PatientContext:
        """All but the note."""
        return PatientContext(
            age=self.age,
            sex=self.sex,
            reason=self.reason,
            symptoms=self.symptoms,
            problems=self.problems,
            observations=[Observation(o.code, o.value, o.unit) for o in self.observations],
        )


def parse(body: bytes) -> AssessRequest:
    """Raise :class:`RequestError` for what is no JSON, :class:`InvalidFields` for fields that are not as asked."""
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError("the body is not JSON") from None
    try:
        return AssessRequest.model_validate(value)
    except ValidationError as wrong:
        # Neither the input nor what its validator raised: the message alone, which quotes nothing.
        told = wrong.errors(include_input=False, include_context=False, include_url=False)
        raise InvalidFields([(_pointer(error["loc"]), error["msg"]) for error in told[:MOST_TOLD]]) from None


def _pointer(place: Sequence[int | str]) -> str:
    """A name that is not ours is not repeated: it could be anything."""
    ours = {*AssessRequest.model_fields, *Measured.model_fields}
    return "#" + "".join(f"/{part}" if isinstance(part, int) or part in ours else "/..." for part in place)
