"""CDS Hooks 2.0, "Prefetch Template": filled from our own records, before the service has to ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cds.errors import RequestError, Unknown

Read = Callable[[str], dict[str, Any]]
"""A FHIR read or search by its relative URL; raises :class:`RequestError` for what cannot be had."""

_TOKEN = re.compile(r"\{\{\s*([A-Za-z0-9_.]+)\s*\}\}")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+(/[A-Za-z0-9.-]{1,64})?(\?|$)")
MAX_TEMPLATES = 32


def fill(templates: Any, context: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """What each template gives: a resource or Bundle, None where we know there is nothing.

    A template that we do not understand, or whose search fails, is left out: the service then asks for itself.
    """
    filled: dict[str, Any] = {}
    listed = list(templates.items()) if isinstance(templates, dict) else []
    for key, template in listed[:MAX_TEMPLATES]:
        try:
            filled[key] = read(resolve(template, context))
        except Unknown:
            filled[key] = None
        except RequestError:
            continue
    return filled


def resolve(template: object, context: Mapping[str, Any]) -> str:
    """The relative URL that ``template`` stands for; :class:`RequestError` for a token that we cannot fill."""
    tokens = {f"context.{name}": value for name, value in context.items() if isinstance(value, str)}
    user_type, _, user_id = str(context.get("userId", "")).partition("/")
    tokens[f"user{user_type}Id"] = user_id

    def value(found: re.Match[str]) -> str:
        if found[1] not in tokens:
            raise RequestError(f"the prefetch token {found[1]} cannot be filled")
        return tokens[found[1]]

    url = _TOKEN.sub(value, template if isinstance(template, str) else "")
    if "{{" in url or not _RELATIVE.match(url):
        raise RequestError("the prefetch template is not one of CDS Hooks 2.0")
    return url
