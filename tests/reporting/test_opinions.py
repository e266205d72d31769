"""What a clinician thinks and does not sign is theirs, in our record and on its way to the EHR."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cds.audit import balp
from cds.audit.balp import Exchange, User
from cds.audit.trail import Trail
from cds.errors import PreconditionFailed
from cds.findings import Judgement, Opinion, Prescreen, Review, Verdict
from cds.reporting.opinions import opinion_id
from cds.reporting.record import Record
from cds.reporting.resources import report_id
from cds.reporting.sign_off import SignOffs
from cds.reporting.withdrawal import withdraw
from cds.store import outbox, resources
from cds.store.database import Database
from cds.store.outbox import Delivery
from tests.reporting.conftest import US

EXCHANGE = Exchange(US, US, US, User("https://ehr.example", "u1"))
WHO = "Practitioner/u1"


def opinion(made: Prescreen, **changes: Any) -> Opinion:
    judgements = (
        Judgement("pneumothorax", Verdict.AGREE),
        Judgement("effusion", Verdict.DISAGREE, "An old scar."),
    )
    given = Opinion(str(uuid4()), made.id, WHO, judgements, "Compared with 2024.", datetime.now(UTC))
    return replace(given, **changes)


def keep(sign_offs: SignOffs, made: Prescreen, given: Opinion) -> None:
    sign_offs.keep(made, given, lambda report: balp.judged(EXCHANGE, made.patient, report))


def sign(sign_offs: SignOffs, made: Prescreen) -> None:
    judgements = tuple(Judgement(finding.key, Verdict.AGREE) for finding in made.findings)
    review = Review(str(uuid4()), made.id, WHO, judgements, "", datetime.now(UTC))
    sign_offs.sign(made, review, 1, lambda report: balp.signed_off(EXCHANGE, made.patient, report))


def held(database: Database, made: Prescreen, who: str = WHO) -> dict[str, Any]:
    with database.transaction(made.tenant) as connection:
        found = resources.get(connection, made.tenant, "Observation", opinion_id(made, who))
    assert found is not None
    return found


def sent(database: Database, made: Prescreen) -> list[Delivery]:
    """What is on its way to the EHR of opinions."""
    with database.transaction(made.tenant) as connection:
        claimed = [outbox.claim(connection, made.tenant, id) for id in outbox.due(connection, made.tenant)]
    return [one for one in claimed if one and one.kind == outbox.FHIR_OPINION]


def test_it_is_the_clinicians_own_and_about_the_report(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    keep(sign_offs, made, opinion(made))
    said = held(database, made)
    assert said["status"] == "preliminary"
    assert said["performer"] == [{"reference": f"{made.fhir_server}/{WHO}"}]
    assert said["focus"][0]["reference"] == f"DiagnosticReport/{report_id(made)}"
    assert said["valueString"] == "Compared with 2024."
    assert [(one["code"]["text"], one["valueString"]) for one in said["component"]] == [
        ("Pneumothorax", "Agrees with the models"),
        ("Pleural effusion", "Disagrees with the models: An old scar."),
    ]
    assert [one["interpretation"][0]["coding"][0]["code"] for one in said["component"]] == ["POS", "NEG"]
    assert "security" not in said["meta"]


def test_the_report_is_as_it_was(sign_offs: SignOffs, database: Database, made: Prescreen) -> None:
    keep(sign_offs, made, opinion(made))
    standing = sign_offs.standing(made)
    assert standing is not None
    assert (standing.version, standing.status) == (1, "preliminary")


def test_the_ehr_is_told_after_the_results_and_in_order(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    keep(sign_offs, made, opinion(made))
    keep(sign_offs, made, opinion(made, comment="Once more."))
    first, second = sent(database, made)
    said = [one.payload["entry"][0]["resource"] for one in (first, second)]
    assert [one["valueString"] for one in said] == ["Compared with 2024.", "Once more."]
    assert said[0]["identifier"] == said[1]["identifier"]
    assert said[0]["performer"] == [{"reference": WHO}]
    with database.transaction(made.tenant) as connection:
        assert outbox.must_wait(connection, made.tenant, first)
        outbox.delivered(connection, made.tenant, min(first.id, second.id) - 1)
        assert not outbox.must_wait(connection, made.tenant, first)
        assert outbox.must_wait(connection, made.tenant, second)


def test_the_same_act_is_told_once(sign_offs: SignOffs, database: Database, made: Prescreen) -> None:
    given = opinion(made)
    keep(sign_offs, made, given)
    keep(sign_offs, made, given)
    assert len(sent(database, made)) == 1
    assert held(database, made)["meta"]["versionId"] == "1"


def test_it_is_over_when_its_clinician_signs_and_a_colleagues_is_not(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    keep(sign_offs, made, opinion(made))
    keep(sign_offs, made, opinion(made, clinician="Practitioner/u2"))
    sign(sign_offs, made)
    assert held(database, made)["status"] == "cancelled"
    assert held(database, made, "Practitioner/u2")["status"] == "preliminary"
    assert sent(database, made)[-1].payload["entry"][0]["resource"]["status"] == "cancelled"


def test_what_nobody_said_is_not_over(sign_offs: SignOffs, database: Database, made: Prescreen) -> None:
    sign(sign_offs, made)
    assert sent(database, made) == []


def test_it_is_over_when_the_report_is_taken_back(
    sign_offs: SignOffs, database: Database, made: Prescreen, trail: Trail
) -> None:
    keep(sign_offs, made, opinion(made))
    withdraw(Record(database), made.tenant, made.id, "Recalled.", trail)
    assert held(database, made)["status"] == "cancelled"
    with pytest.raises(PreconditionFailed):
        keep(sign_offs, made, opinion(made))
