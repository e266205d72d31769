"""CDS Hooks 2.0, "HTTP Status Codes", and RFC 9110: refusals that belong to no service."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cds.hooks.call import Answer
from tests.hooks.conftest import PATH, Hooks


@pytest.mark.parametrize(("method", "path", "allowed"), [("PUT", PATH, "POST"), ("TRACE", "/cds-services", "GET")])
def test_a_wrong_method_is_told_the_right_ones(
    method: str, path: str, allowed: str, hooks: Callable[..., Hooks]
) -> None:
    """RFC 9110 §15.5.6: a 405 carries Allow."""
    answer = hooks().app.test_client().open(path, method=method)
    assert answer.status_code == 405
    assert allowed in answer.allow
    assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"


def test_a_fault_of_ours_is_told_without_the_patients_data(
    hooks: Callable[..., Hooks], caplog: pytest.LogCaptureFixture
) -> None:
    """Its message may quote a note: the log gets its kind and place, the EHR an OperationOutcome."""

    def fails(*_: object) -> Answer:
        raise KeyError("Erika Mustermann")

    answer = hooks(answer=fails).call()
    assert (answer.status_code, answer.mimetype) == (500, "application/fhir+json")
    (issue,) = answer.get_json(force=True)["issue"]
    assert (issue["severity"], issue["code"]) == ("fatal", "exception")
    assert "KeyError at fails" in caplog.text
    assert "Erika" not in answer.text + caplog.text
