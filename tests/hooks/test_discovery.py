"""CDS Hooks 2.0, "Discovery" and "Prefetch Template"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from cds.hooks.discovery import SERVICES
from tests.hooks.conftest import Hooks

Make = Callable[..., Hooks]

PUBLISHED = {"order-sign": "1.0", "order-select": "1.0", "patient-view": "1.0", "encounter-start": "1.0"}
"""The version of each hook's page in the hook library."""
TOKENS = {"context.userId", "context.patientId", "context.encounterId"}
"""Of every hook that we answer, the context fields that its page marks as prefetch tokens."""
PARAMETERS = {"patient", "subject", "category", "code", "type", "status", "_count", "_sort"}
"""References, tokens, ``_count`` and ``_sort``: what every EHR can be asked by a template."""
TEMPLATES = [
    pytest.param(template, id=f"{service.id} {key}")
    for service in SERVICES.values()
    for key, template in service.prefetch.items()
]


def served(hooks: Make) -> list[dict[str, Any]]:
    answer = hooks().app.test_client().get("/cds-services")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return list(answer.get_json()["services"])


def test_every_service_says_what_it_must_and_should(hooks: Make) -> None:
    for service in served(hooks):
        for field in ("hook", "id", "title", "description", "usageRequirements", "version"):
            assert isinstance(service[field], str)
            assert service[field]
        assert service["hookVersion"] == PUBLISHED[service["hook"]]
        assert service["version"] == "2.0.1"


def test_the_four_hooks_are_offered_once_each(hooks: Make) -> None:
    assert sorted(service["hook"] for service in served(hooks)) == sorted(PUBLISHED)
    assert len({service["id"] for service in served(hooks)}) == len(PUBLISHED)


def test_nothing_is_null_or_empty(hooks: Make) -> None:
    """ "JSON": an optional element without a value is left out."""
    assert not [value for value in values(served(hooks)) if value in (None, "", [], {})]


def test_discovery_is_open_and_takes_a_token_all_the_same(hooks: Make) -> None:
    client = hooks().app.test_client()
    with_token = client.get("/cds-services", headers={"Authorization": "Bearer a.b.c"})
    assert with_token.data == client.get("/cds-services").data


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_a_relative_read_or_search_of_one_type(template: str) -> None:
    path = template.partition("?")[0]
    assert re.fullmatch(r"[A-Z][A-Za-z]+(/\{\{[A-Za-z.]+\}\})?", path)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_asks_for_what_every_ehr_can_fill(template: str) -> None:
    """Tokens of the context, and parameters without modifiers, chains, includes or bare dates."""
    assert set(re.findall(r"\{\{(.*?)\}\}", template)) <= TOKENS
    for name, value in parse_qsl(template.partition("?")[2], strict_parsing=True) if "?" in template else ():
        assert name in PARAMETERS
        assert name != "_count" or 0 < int(value) <= 50


def values(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from values(item)
