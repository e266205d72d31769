"""Checks of JSON from outside: each gives the value in its type, or refuses it by name."""

from __future__ import annotations

import re
from typing import Any

from cds.errors import RequestError

Json = dict[str, Any]


def json_object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise RequestError(f"{name} must be a JSON object")
    return value


def matching(pattern: re.Pattern[str], value: Any, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RequestError(f"{name} is missing or not of the form that the hook asks")
    return value
