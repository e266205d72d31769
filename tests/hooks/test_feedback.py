"""CDS Hooks 2.0, "Feedback": what an entry must hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cds.errors import RequestError
from cds.hooks.feedback import parse

CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
ACCEPTED = {
    "card": CARD,
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}],
    "outcomeTimestamp": "2026-11-22T09:30:10Z",
}
OVERRIDDEN = {
    "card": CARD,
    "outcome": "overridden",
    "overrideReason": {"reason": {"code": "disagree", "system": "https://x"}},
    "outcomeTimestamp": "2026-11-22T09:30:10.123+01:00",
}


def body(*entries: Any) -> bytes:
    return json.dumps({"feedback": list(entries)}).encode()


def test_a_batch_of_both_outcomes() -> None:
    accepted, overridden = parse(body(ACCEPTED, OVERRIDDEN))
    assert (accepted.card, accepted.outcome) == (CARD, "accepted")
    assert overridden.timestamp.utcoffset() is not None


def test_an_override_needs_no_reason() -> None:
    parse(body({k: v for k, v in OVERRIDDEN.items() if k != "overrideReason"}))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"card": "no uuid"}, "card"),
        ({"card": None}, "card"),
        ({"outcome": "ignored"}, "outcome"),
        ({"acceptedSuggestions": None}, "acceptedSuggestions"),
        ({"acceptedSuggestions": []}, "acceptedSuggestions"),
        ({"acceptedSuggestions": [{}]}, "acceptedSuggestions"),
        ({"outcomeTimestamp": "yesterday"}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-11-22"}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-13-22T09:30:10Z"}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}, "outcomeTimestamp"),
        ({"overrideReason": {}}, "overrideReason"),
    ],
)
def test_an_entry_that_lacks_what_it_must_have_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError, match=rf"feedback\[1\]\.{named}"):
        parse(body(ACCEPTED, ACCEPTED | changes))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"feedback": {}}', b'{"feedback": [1]}', b"\xff"])
def test_what_is_no_feedback(raw: bytes) -> None:
    with pytest.raises(RequestError):
        parse(raw)
