"""Sign-off: a clinician reads a prescreen's report, and takes it for theirs (FHIR R4, "DiagnosticReport.status").

Report and observations get a next version, ``final`` or, where it was signed before, ``amended``; what they said
stays in their history. What a clinician thinks of it can be kept unsigned too (:mod:`cds.reporting.opinions`).
The Provenance gains the clinician as verifier (AI Transparency on FHIR). The task in the
queue is done. All of it, with the audit event and the delivery to the EHR, is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from cds.audit.balp import Event
from cds.audit.journal import Journal
from cds.errors import PreconditionFailed, RequestError
from cds.findings import Opinion, Prescreen, Review, Verdict
from cds.reporting import opinions
from cds.reporting.resources import (
    Resource,
    collection,
    device_id,
    observation_id,
    provenance_id,
    relative,
    report_id,
)
from cds.reporting.signed import clinician, content, instant, signed
from cds.reporting.tasks import review_id
from cds.store import outbox, prescreens, resources, reviews
from cds.store.database import Connection, Database

PRELIMINARY = "preliminary"
SIGNABLE = {PRELIMINARY: "final", "final": "amended", "amended": "amended"}
"""What a report becomes by a signature."""

Said = Callable[[str], Event]
"""The audit event of an act on the report ``DiagnosticReport/{id}``."""


_REVIEW = TypeAdapter(Review)
_OPINION = TypeAdapter(Opinion)


@dataclass(frozen=True, slots=True)
class ReportState:
    """How a report stands."""

    version: int
    status: str
    reviews: tuple[Review, ...]
    """The oldest first."""
    opinions: tuple[Opinion, ...] = ()
    """The last of each clinician, the oldest first; what they have signed since is none any more."""
    acts: int = 0
    """How often anybody said anything."""

    @property
    def signable(self) -> bool:
        return self.status in SIGNABLE


class SignOffs:
    """Reads how reports stand, and signs them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journal = Journal(database)

    def standing(self, prescreen: Prescreen) -> ReportState | None:
        """None where there is no report: nothing was found, or nobody asked for one."""
        id = report_id(prescreen)
        with self._database.transaction(prescreen.tenant) as connection:
            report = resources.get(connection, prescreen.tenant, "DiagnosticReport", id) if id else None
            if report is None:
                return None
            acts = reviews.of_prescreen(connection, prescreen.tenant, UUID(prescreen.id))
        signed = tuple(_REVIEW.validate_python(act.body) for act in acts if act.signed)
        return ReportState(
            int(report["meta"]["versionId"]), report["status"], signed, _unsigned(acts, signed), len(acts)
        )

    def sign(self, prescreen: Prescreen, review: Review, version: int, said: Said) -> None:
        """Sign ``version`` of the prescreen's report; an act that was done before does nothing.

        Raises :class:`~cds.errors.RequestError` for a review that is not whole, and
        :class:`~cds.errors.PreconditionFailed` where the report has another version by now, or cannot be signed.
        """
        check(prescreen, review)
        self._journal.write(prescreen.tenant, _Signing(prescreen, review, version, said))

    def keep(self, prescreen: Prescreen, opinion: Opinion, said: Said) -> None:
        """Keep an opinion, and tell the EHR; an act that was done before does nothing.

        Raises :class:`~cds.errors.PreconditionFailed` where there is no report, or it was taken back.
        """

        def write(connection: Connection) -> Iterable[Event]:
            prescreens.lock(connection, prescreen.tenant, UUID(prescreen.id))
            report = resources.get(connection, prescreen.tenant, "DiagnosticReport", report_id(prescreen) or "")
            if report is None or report["status"] not in SIGNABLE:
                raise PreconditionFailed("the report cannot be judged any more")
            new = reviews.put(
                connection,
                prescreen.tenant,
                id=UUID(opinion.id),
                prescreen=UUID(prescreen.id),
                body=orjson.loads(orjson.dumps(opinion)),
                signed=False,
            )
            if not new:
                return []
            opinions.keep(connection, prescreen, opinion)
            return [said(f"DiagnosticReport/{report['id']}")]

        self._journal.write(prescreen.tenant, write)


def _unsigned(acts: Iterable[reviews.Said], signed: Iterable[Review]) -> tuple[Opinion, ...]:
    last = {one.clinician: one for one in (_OPINION.validate_python(act.body) for act in acts if not act.signed)}
    over = {review.clinician: review.signed for review in signed}
    return tuple(one for one in last.values() if one.clinician not in over or one.said > over[one.clinician])


def check(prescreen: Prescreen, review: Review) -> None:
    """Raises :class:`~cds.errors.RequestError` unless each finding is judged, each disagreement with a reason."""
    if [judgement.finding for judgement in review.judgements] != [finding.key for finding in prescreen.findings]:
        raise RequestError("each finding needs a judgement")
    for judgement in review.judgements:
        if judgement.verdict is Verdict.DISAGREE and not judgement.reason:
            raise RequestError("a disagreement needs a reason")


class _Signing:
    """The write of one signature."""

    def __init__(self, prescreen: Prescreen, review: Review, version: int, said: Said) -> None:
        self._prescreen = prescreen
        self._review = review
        self._version = version
        self._said = said

    def __call__(self, connection: Connection) -> Iterable[Event]:
        prescreen, review = self._prescreen, self._review
        prescreens.lock(connection, prescreen.tenant, UUID(prescreen.id))
        body = orjson.loads(orjson.dumps(review))
        if not reviews.put(
            connection, prescreen.tenant, id=UUID(review.id), prescreen=UUID(prescreen.id), body=body
        ):
            return []
        held = _held(connection, prescreen)
        report = next((one for one in held if one["resourceType"] == "DiagnosticReport"), None)
        if report is None or report["status"] not in SIGNABLE or int(report["meta"]["versionId"]) != self._version:
            raise PreconditionFailed("the report has changed since it was shown")
        next_versions = signed(prescreen, review, held, SIGNABLE[report["status"]])
        task = resources.get(connection, prescreen.tenant, "Task", review_id(prescreen))
        for resource in (*next_versions, *([self._done(task)] if task else [])):
            resources.put(
                connection,
                prescreen.tenant,
                resource,
                patient=prescreen.patient,
                fhir_server=prescreen.fhir_server,
            )
        self._tell_the_ehr(connection, next_versions)
        opinions.end(connection, prescreen, [review.clinician], by=review.id)
        return [self._said(f"DiagnosticReport/{report['id']}")]

    def _done(self, task: Resource) -> Resource:
        owner = clinician(self._prescreen, self._review)
        done = {"status": "completed", "owner": owner, "lastModified": instant(self._review)}
        return {**content(task), **done}

    def _tell_the_ehr(self, connection: Connection, amended: list[Resource]) -> None:
        """Results that have not arrived yet arrive as signed; those that have are amended."""
        prescreen = self._prescreen
        ids = [device_id(model) for model in prescreen.models]
        devices = resources.get_many(connection, prescreen.tenant, "Device", ids)
        # The devices go along because the provenance names them, and the EHR has ids of its own for them.
        payload = collection(
            [*map(content, devices.values()), *(relative(one, prescreen.fhir_server) for one in amended)]
        )
        outbox.amend(
            connection,
            prescreen.tenant,
            amended=prescreen.id,
            by=f"sign-off/{self._review.id}",
            destination=prescreen.fhir_server,
            payload=payload,
        )


def _held(connection: Connection, prescreen: Prescreen) -> list[Resource]:
    """The observations, the report and the provenance as they are now."""
    observations = [("Observation", observation_id(prescreen, finding.key)) for finding in prescreen.findings]
    names = [
        *observations,
        ("DiagnosticReport", report_id(prescreen) or ""),
        ("Provenance", provenance_id(prescreen)),
    ]
    found = (resources.get(connection, prescreen.tenant, type, id) for type, id in names)
    return [resource for resource in found if resource is not None]
