"""A clinician's signature makes a report final, once, here and on its way to the EHR."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cds.audit import balp
from cds.audit.balp import Exchange, User
from cds.audit.trail import Trail
from cds.audit.verify import verify
from cds.errors import PreconditionFailed, RequestError
from cds.findings import Judgement, Prescreen, Review, Verdict
from cds.reporting.record import Record
from cds.reporting.resources import observation_id, provenance_id, report_id
from cds.reporting.sign_off import SignOffs
from cds.reporting.tasks import review_id
from cds.reporting.withdrawal import withdraw
from cds.store import outbox, resources
from cds.store.database import Database
from tests.opened import events
from tests.reporting.conftest import US

CLINICIAN = "https://ehr.example/fhir/Practitioner/u1"


def review(made: Prescreen, *disagreed: str, **changes: Any) -> Review:
    judgements = tuple(
        Judgement(f.key, Verdict.DISAGREE, "An old scar.")
        if f.key in disagreed
        else Judgement(f.key, Verdict.AGREE)
        for f in made.findings
    )
    given = Review(str(uuid4()), made.id, "Practitioner/u1", judgements, "Compared with 2024.", datetime.now(UTC))
    return replace(given, **changes)


def signed(sign_offs: SignOffs, made: Prescreen, given: Review, version: int = 1) -> None:
    exchange = Exchange(US, US, US, User("https://ehr.example", "u1"))
    sign_offs.sign(made, given, version, lambda report: balp.signed_off(exchange, made.patient, report))


def held(database: Database, made: Prescreen, type: str, id: str | None) -> dict[str, Any]:
    with database.transaction(made.tenant) as connection:
        found = resources.get(connection, made.tenant, type, id or "")
    assert found is not None
    return found


def test_the_report_is_final_and_names_who_signed(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    signed(sign_offs, made, review(made, "effusion"))
    report = held(database, made, "DiagnosticReport", report_id(made))
    assert report["status"] == "final"
    assert report["resultsInterpreter"] == [{"reference": CLINICIAN}]
    assert report["conclusion"].startswith("Present: Pneumothorax (computed 93 %). Not present: Pleural effusion")
    assert "Pleural effusion: disagrees with the models: An old scar." in report["conclusion"]
    assert [code["text"] for code in report["conclusionCode"]] == ["Pneumothorax"]
    with database.transaction(made.tenant) as connection:
        before = resources.get_version(connection, made.tenant, "DiagnosticReport", report["id"], 1)
    assert before is not None
    assert before["status"] == "preliminary"


@pytest.mark.parametrize(
    ("finding", "disagreed", "said"),
    [
        ("pneumothorax", False, "POS"),
        ("pneumothorax", True, "NEG"),
        ("effusion", False, "POS"),
        ("effusion", True, "NEG"),
        ("mass", False, "NEG"),
        ("mass", True, "POS"),
    ],
)
def test_an_observation_says_what_the_clinician_says(
    finding: str, disagreed: bool, said: str, sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    signed(sign_offs, made, review(made, *([finding] if disagreed else [])))
    observation = held(database, made, "Observation", observation_id(made, finding))
    assert observation["status"] == "final"
    assert observation["interpretation"][0]["coding"][0]["code"] == said
    assert [note["authorReference"]["reference"] for note in observation.get("note", [])] == [
        CLINICIAN
    ] * disagreed


def test_the_provenance_gains_a_verifier_and_the_task_is_done(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    signed(sign_offs, made, review(made))
    provenance = held(database, made, "Provenance", provenance_id(made))
    types = [agent["type"]["coding"][0]["code"] for agent in provenance["agent"]]
    assert types == ["author"] * len(made.models) + ["verifier"]
    assert provenance["agent"][-1]["who"] == {"reference": CLINICIAN}
    assert held(database, made, "Task", review_id(made))["status"] == "completed"


def test_the_same_act_twice_is_one(sign_offs: SignOffs, database: Database, made: Prescreen) -> None:
    given = review(made)
    signed(sign_offs, made, given)
    signed(sign_offs, made, given)
    standing = sign_offs.standing(made)
    assert standing is not None
    assert (standing.version, standing.status, standing.reviews) == (2, "final", (given,))
    with database.transaction(made.tenant) as connection:
        assert len(outbox.waiting(connection, made.tenant)) == 2
        attested = [e for e in events(connection, made.tenant) if e["subtype"][-1]["code"] == "attest"]
        assert verify(connection, made.tenant).intact
    (event,) = attested
    assert event["entity"][0]["what"]["reference"] == f"DiagnosticReport/{report_id(made)}"
    assert event["agent"][2]["who"]["identifier"]["value"] == "u1"


def test_who_looked_at_an_older_version_signs_nothing(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    signed(sign_offs, made, review(made))
    with pytest.raises(PreconditionFailed):
        signed(sign_offs, made, review(made, "pneumothorax"), version=1)
    standing = sign_offs.standing(made)
    assert standing is not None
    assert len(standing.reviews) == 1


def test_a_report_that_was_signed_is_amended(sign_offs: SignOffs, database: Database, made: Prescreen) -> None:
    signed(sign_offs, made, review(made))
    signed(sign_offs, made, review(made, "pneumothorax", clinician="Practitioner/u2"), version=2)
    report = held(database, made, "DiagnosticReport", report_id(made))
    assert report["status"] == "amended"
    assert len(report["resultsInterpreter"]) == 2
    assert [code["text"] for code in report["conclusionCode"]] == ["Pleural effusion"]


def test_what_was_taken_back_cannot_be_signed(
    sign_offs: SignOffs, database: Database, made: Prescreen, trail: Trail
) -> None:
    withdraw(Record(database), made.tenant, made.id, "Recalled.", trail)
    with pytest.raises(PreconditionFailed):
        signed(sign_offs, made, review(made), version=2)


@pytest.mark.parametrize("faulty", ["missing", "no reason"])
def test_a_review_is_whole(faulty: str, sign_offs: SignOffs, made: Prescreen) -> None:
    judgements = review(made).judgements
    given = (
        judgements[:1] if faulty == "missing" else tuple(replace(j, verdict=Verdict.DISAGREE) for j in judgements)
    )
    with pytest.raises(RequestError):
        signed(sign_offs, made, review(made, judgements=given))


def test_what_has_not_arrived_yet_arrives_as_signed(
    sign_offs: SignOffs, database: Database, made: Prescreen
) -> None:
    signed(sign_offs, made, review(made))
    with database.transaction(made.tenant) as connection:
        first = outbox.claim(connection, made.tenant, outbox.due(connection, made.tenant)[0])
    assert first is not None
    assert first.kind == outbox.FHIR_RESULTS
    by_type = {entry["resource"]["resourceType"]: entry["resource"] for entry in first.payload["entry"]}
    assert by_type["DiagnosticReport"]["status"] == "final"
    assert by_type["DiagnosticReport"]["resultsInterpreter"] == [{"reference": "Practitioner/u1"}]
    own = {entry["fullUrl"] for entry in first.payload["entry"]}
    authors = [agent["who"]["reference"] for agent in by_type["Provenance"]["agent"][:-1]]
    assert set(authors) <= own


def test_amendments_reach_the_ehr_in_their_order(sign_offs: SignOffs, database: Database, made: Prescreen) -> None:
    signed(sign_offs, made, review(made))
    signed(sign_offs, made, review(made, "pneumothorax"), version=2)
    with database.transaction(made.tenant) as connection:
        waiting = [outbox.claim(connection, made.tenant, id) for id in outbox.due(connection, made.tenant)]
        results, first, second = (delivery for delivery in waiting if delivery)
        assert outbox.must_wait(connection, made.tenant, first)
        outbox.delivered(connection, made.tenant, results.id)
        assert not outbox.must_wait(connection, made.tenant, first)
        assert outbox.must_wait(connection, made.tenant, second)
        outbox.delivered(connection, made.tenant, first.id)
        assert not outbox.must_wait(connection, made.tenant, second)
