"""The use case for callers without FHIR: rank the findings that symptoms, values and a note speak for.

Nothing is kept of what is said, and no model sees a name.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from cds.deadline import Deadline
from cds.findings import Evidence, Finding, ModelVersion
from cds.fusion.late import LateFusion
from cds.inference.engine import Engine
from cds.notes.context import PatientContext
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.observations import flag
from cds.reporting.recommendations import Recommendation, recommended

LIMIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Assessed:
    """The outcome of one assessment."""

    findings: tuple[Finding, ...]
    """Worst first."""
    tests: list[Recommendation]
    models: tuple[ModelVersion, ...]
    evidence: tuple[Evidence, ...] = ()
    """Of the note and of what is known beside it, without identifiers; places are in the note as it was given."""


class Assessing:
    """Everything that an assessment needs, and the assessment itself."""

    def __init__(self, engine: Engine, fusion: LateFusion) -> None:
        self._engine = engine
        self._fusion = fusion

    def __call__(self, context: PatientContext, note: str = "") -> Assessed:
        """Raise :class:`~cds.errors.NoteError` for words that cannot be de-identified, and
        :class:`~cds.errors.EngineError` where there is too much else to do.
        """
        # A subject of this one call: no two answers can be joined by their surrogates.
        nobody, deadline = KnownIdentifiers(subject=str(uuid.uuid4())), Deadline.after(LIMIT_MS)
        read = self._engine.read_account(context, note, nobody, deadline)
        score = self._engine.score_notes(read, deadline)
        findings = self._fusion.fuse(None, score)
        shown = self._engine.evidence(read, score, deadline)
        models = (score.model, self._engine.models.identifiers.version, self._fusion.version)
        raised = {value.loinc for value in context.observations if flag(value) == "high"}
        return Assessed(findings, recommended(findings, raised), models, shown)
