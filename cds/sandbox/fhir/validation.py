"""Whether a resource is well-formed: its elements, types and cardinalities (FHIR R4, "Validating Resources").

The models are those of R4B, which for the types that the sandbox knows by name says what R4 says.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from cds.errors import RequestError
from cds.sandbox.parameters import BY_TYPE


class Unprocessable(RequestError):
    """The body is JSON, and no valid resource."""

    status = 422
    code = "structure"


def check(resource: dict[str, Any]) -> None:
    """:class:`Unprocessable` with the first element that is wrong, without its value; other types pass."""
    of_type = resource["resourceType"]
    if of_type not in BY_TYPE:
        return
    try:
        _model(of_type).model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in (of_type, *first["loc"]))
        raise Unprocessable(f"{place} is not as FHIR R4 has it ({first['type']})") from None


def warm_up() -> None:
    """Import the models, which takes most of a second, before the first write has to wait for them."""
    for of_type in BY_TYPE:
        _model(of_type)


def _model(of_type: str) -> type[BaseModel]:
    model: type[BaseModel] = getattr(import_module(f"fhir.resources.R4B.{of_type.lower()}"), of_type)
    return model
