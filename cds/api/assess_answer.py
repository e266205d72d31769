"""The answer of ``POST /api/v1/assess``."""

from __future__ import annotations

from typing import Any

from cds.assess import Assessed
from cds.findings import SNOMED_CT, Evidence, Finding, ModelVersion
from cds.reporting import codes
from cds.reporting.recommendations import Recommendation
from cds.reporting.words import DISCLAIMER

Json = dict[str, Any]


def answer(assessed: Assessed) -> Json:
    """Findings worst first, the sentences behind them, tests that would settle those above low, and what it is."""
    return {
        "findings": [_finding(finding) for finding in assessed.findings],
        "evidence": [_evidence(one) for one in assessed.evidence],
        "recommendedTests": [_test(recommendation) for recommendation in assessed.tests],
        "models": [_model(model) for model in assessed.models],
        "disclaimer": DISCLAIMER,
    }


def _finding(finding: Finding) -> Json:
    return {
        "finding": finding.key,
        "coding": _coding(SNOMED_CT, finding.type.snomed, finding.type.display),
        "probability": round(finding.probability, 4),
        "level": finding.level.value,
    }


def _evidence(one: Evidence) -> Json:
    """``start`` and ``end`` are offsets in the note that was sent; what it was not said in has none."""
    probability = {} if one.probability is None else {"probability": round(one.probability, 4)}
    place = {"start": one.place.start, "end": one.place.end} if one.place else {}
    return {"finding": one.finding, "assertion": one.assertion.value, "text": one.text, **probability, **place}


def _test(recommendation: Recommendation) -> Json:
    test = recommendation.test
    coding = {"coding": _coding(codes.LOINC, test.loinc, test.display)} if test.loinc else {}
    return {
        "test": test.display,
        **coding,
        "reasons": list(recommendation.reasons),
        "findings": list(recommendation.findings),
    }


def _model(model: ModelVersion) -> Json:
    return {"kind": model.kind, "name": model.name, "version": model.version, "digest": f"sha256:{model.digest}"}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}
