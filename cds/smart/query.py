"""Parameters of a request's query: each once at most, and of a bounded length (RFC 6749, 3.1)."""

from __future__ import annotations

from flask import request

from cds.smart.refusals import BadLaunch

MAX_CHARACTERS = 4096


def parameter(name: str) -> str:
    """The one value of ``name``; empty where it is absent, :class:`BadLaunch` where it is repeated or too long."""
    values = request.args.getlist(name)
    if len(values) > 1 or any(len(value) > MAX_CHARACTERS for value in values):
        raise BadLaunch(f"the parameter {name} is repeated or too long")
    return values[0] if values else ""
