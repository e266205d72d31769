"""What comes back from a CDS service, and what it means where it holds no cards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import orjson

_STEP = re.compile(r"([A-Za-z0-9_-]+)\s*;\s*dur=([0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one request."""

    status: int
    body: Any
    """The parsed JSON, or None where there was none to parse."""
    ms: float
    """From the first byte sent to the last received, in milliseconds."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """Where the service says its time went (``Server-Timing``): milliseconds by name."""

    @classmethod
    def of(cls, response: httpx.Response, raw: bytes, ms: float) -> Self:
        """The answer whose body is ``raw``, already read."""
        return cls(response.status_code, _json(raw), ms, _steps(response.headers.get("Server-Timing", "")))


def _steps(header: str) -> dict[str, float]:
    """W3C Server Timing: ``read;dur=12.5, score;dur=80``."""
    return {name: float(ms) for name, ms in _STEP.findall(header[:4096])}


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def problem_of(answer: Answer) -> str:
    """Why an answer holds no cards, in words for the clinician; empty where it does."""
    if answer.status == 200:
        body = answer.body
        good = isinstance(body, dict) and isinstance(body.get("cards"), list)
        if good and all(isinstance(card, dict) for card in body["cards"]):
            return ""
        return "The service answered 200, but not with cards."
    said = _diagnostics(answer.body)
    meaning = _MEANING.get(
        answer.status, "The service failed." if answer.status >= 500 else "The service refused."
    )
    return f"{meaning} (HTTP {answer.status}{': ' + said if said else ''})"


_MEANING = {
    401: "The service does not accept who we are: is this EHR registered with it?",
    403: "The service knows us and does not let us do this.",
    404: "The service has no decision support of this name.",
    412: "The service could not get the data that it needs.",
    429: "The service has too much to do; try again in a moment.",
    503: "The service is not available at the moment.",
}


def _diagnostics(body: Any) -> str:
    """What an OperationOutcome says."""
    try:
        issue = body["issue"][0]
        return str(issue.get("diagnostics") or issue.get("details", {}).get("text") or "")[:500]
    except (TypeError, KeyError, IndexError, AttributeError):
        return ""
