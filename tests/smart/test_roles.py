"""Who has which role, as the registration says it of claims of the id_token."""

from __future__ import annotations

from typing import Any

import pytest

from cds.errors import ConfigurationError
from cds.registration import Role
from tests.smart.conftest import registration

ROLES = {
    "radiologist": {"groups": ["radiology"], "fhirUser": ["Practitioner/7"]},
    "auditor": {"fhirUser": ["Practitioner/7", "Practitioner/8"]},
}


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({}, ()),
        ({"groups": "radiology"}, (Role.RADIOLOGIST,)),
        ({"groups": ["staff", "radiology"]}, (Role.RADIOLOGIST,)),
        ({"fhirUser": "Practitioner/7"}, (Role.RADIOLOGIST, Role.AUDITOR)),
        ({"fhirUser": "Practitioner/8"}, (Role.AUDITOR,)),
        ({"groups": "radiology2"}, ()),
        ({"groups": {"radiology": True}}, ()),
        ({"groups": [["radiology"]]}, ()),
        ({"fhirUser": ""}, ()),
    ],
)
def test_one_value_of_one_claim_is_enough(claims: dict[str, Any], roles: tuple[Role, ...]) -> None:
    assert registration(roles=ROLES).roles_of(claims) == roles


def test_without_roles_nobody_has_one() -> None:
    assert registration().roles_of({"groups": ["radiology"]}) == ()


@pytest.mark.parametrize(
    "roles",
    [
        {"surgeon": {"groups": ["s"]}},
        {"auditor": ["u1"]},
        {"auditor": {"groups": "s"}},
        ["auditor"],
        {"auditor": None},
    ],
)
def test_what_is_no_role_is_refused(roles: Any) -> None:
    with pytest.raises(ConfigurationError):
        registration(roles=roles)
