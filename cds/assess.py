"""The use case for callers without FHIR: rank the findings that symptoms, values and a note speak for.

Nothing is kept of what is said, and no model sees a name.
"""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from cds.findings import Evidence, Finding, ModelVersion, PartScore
from cds.fusion.late import LateFusion
from cds.notes.context import PatientContext
from cds.notes.deidentification import Deidentified, Deidentifier, KnownIdentifiers
from cds.notes.evidence import Source, evidence, placed
from cds.notes.reading import prepare, worth_reading
from cds.reporting.recommendations import Recommendation, recommended


class NoteEngine(Protocol):
    """Where the note model runs (:mod:`cds.engine`)."""

    def score_note(self, text: str, /) -> PartScore: ...


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

    def __init__(
        self,
        engine: NoteEngine,
        fusion: LateFusion,
        deidentifier: Deidentifier,
        cores: AbstractContextManager[object],
    ) -> None:
        """Only under ``cores`` is anything computed, as in a prescreen."""
        self._engine = engine
        self._fusion = fusion
        self._deidentifier = deidentifier
        self._cores = cores

    def __call__(self, context: PatientContext, note: str = "") -> Assessed:
        """Raise :class:`~cds.errors.NoteError` for words that cannot be de-identified."""
        # A subject of this one call: no two answers can be joined by their surrogates.
        nobody = KnownIdentifiers(subject=str(uuid.uuid4()))

        def deidentify(text: str) -> Deidentified:
            return self._deidentifier.deidentify(text, nobody)

        with self._cores:
            [read] = worth_reading([note])
            source = Source("", note, read, deidentify(read))
            known = context.deidentified(lambda words: deidentify(words).text).text()
            text = prepare([source.deidentified.text], known)
            score = self._engine.score_note(text)
        findings = self._fusion.fuse(None, score)
        shown = placed(evidence(text, score), [source])
        models = (score.model, self._deidentifier.version, self._fusion.version)
        return Assessed(findings, recommended(findings), tuple(one for one in models if one), shown)
