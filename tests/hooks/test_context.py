"""CDS Hooks, "Hooks": what the context of each hook must hold (sections "Context" of each)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.errors import RequestError
from cds.hooks.context import CONTEXTS
from cds.hooks.discovery import SERVICES
from tests.hooks.test_request import ORDER, PILL, json_values

WHO = {"userId": "Practitioner/example", "patientId": "p1"}
DRAFTS = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": ORDER}, {"resource": PILL}]}
WHOLE: dict[str, dict[str, Any]] = {
    "order-sign": WHO | {"draftOrders": DRAFTS},
    "order-select": WHO | {"draftOrders": DRAFTS, "selections": ["ServiceRequest/o1"]},
    "patient-view": WHO,
    "encounter-start": WHO | {"encounterId": "e1"},
}


def without(hook: str, field: str) -> dict[str, Any]:
    return {name: value for name, value in WHOLE[hook].items() if name != field}


def test_every_service_answers_a_hook_whose_context_can_be_read() -> None:
    assert sorted(service.hook for service in SERVICES.values()) == sorted(CONTEXTS) == sorted(WHOLE)


@pytest.mark.parametrize("hook", WHOLE)
def test_a_whole_context(hook: str) -> None:
    context = CONTEXTS[hook](WHOLE[hook])
    assert (context.user, context.patient_id) == ("Practitioner/example", "p1")


@pytest.mark.parametrize("hook", WHOLE)
def test_every_field_that_is_required(hook: str) -> None:
    for field in WHOLE[hook]:
        with pytest.raises(RequestError, match=rf"context\.{field}"):
            CONTEXTS[hook](without(hook, field))


@pytest.mark.parametrize("hook", ["order-sign", "order-select", "patient-view"])
def test_the_encounter_may_be_absent_but_not_wrong(hook: str) -> None:
    assert CONTEXTS[hook](WHOLE[hook]).encounter_id is None
    with pytest.raises(RequestError, match="encounterId"):
        CONTEXTS[hook](WHOLE[hook] | {"encounterId": "a b"})


@pytest.mark.parametrize("hook", ["patient-view", "encounter-start"])
def test_orders_are_no_matter_of_hooks_without_them(hook: str) -> None:
    assert CONTEXTS[hook](WHOLE[hook] | {"draftOrders": "odd", "selections": 3}).draft_orders == ()


class TestSelections:
    """order-select 1.0: "The FHIR id of the newly selected order(s)", each in ``draftOrders``."""

    def test_name_draft_orders(self) -> None:
        context = CONTEXTS["order-select"](WHOLE["order-select"])
        assert context.selections == ("ServiceRequest/o1",)
        assert context.draft_orders == (ORDER, PILL)

    @pytest.mark.parametrize(
        "selections",
        [
            "ServiceRequest/o1",
            {},
            [1],
            ["o1"],
            ["ServiceRequest/"],
            ["ServiceRequest/o2"],
            ["MedicationRequest/o1"],
        ],
    )
    def test_that_name_none_are_refused(self, selections: Any) -> None:
        with pytest.raises(RequestError, match="selection"):
            CONTEXTS["order-select"](WHOLE["order-select"] | {"selections": selections})


@given(st.sampled_from(sorted(WHOLE)), st.sampled_from(["userId", "encounterId", "selections"]), json_values)
def test_whatever_comes_is_read_or_refused(hook: str, field: str, value: Any) -> None:
    with suppress(RequestError):
        CONTEXTS[hook](WHOLE[hook] | {field: value})
