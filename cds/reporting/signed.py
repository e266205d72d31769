"""What a clinician's signature makes of each resource of a report: its next version."""

from __future__ import annotations

from cds.findings import Finding, Judgement, Level, Prescreen, Review, Statement
from cds.reporting import codes, words
from cds.reporting.resources import Resource, concluded, interpretation, observation_id


def signed(prescreen: Prescreen, review: Review, held: list[Resource], status: str) -> list[Resource]:
    """Of observations, report and provenance as they are held; ``status`` is what the report becomes."""
    findings = {observation_id(prescreen, finding.key): finding for finding in prescreen.findings}
    made = []
    for resource in map(content, held):
        if resource["resourceType"] == "Observation":
            made.append(_observation(prescreen, review, findings[resource["id"]], resource) | {"status": status})
        elif resource["resourceType"] == "DiagnosticReport":
            made.append(_report(prescreen, review, resource) | {"status": status})
        else:
            made.append(_provenance(prescreen, review, resource))
    return made


def content(resource: Resource) -> Resource:
    """Without what the store adds to it."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name in ("security", "profile")}
    return {**resource, "meta": meta}


def clinician(prescreen: Prescreen, said: Statement) -> Resource:
    """Who said it, for whoever reads it from us."""
    return {"reference": f"{prescreen.fhir_server}/{said.clinician}"}


def instant(review: Review) -> str:
    return review.signed.isoformat(timespec="milliseconds")


def interpreted(finding: Finding, judgement: Judgement) -> Resource:
    """Whether the finding is there, as the clinician says."""
    return interpretation(Level.HIGH if words.is_present(finding, judgement) else Level.LOW)


def _observation(prescreen: Prescreen, review: Review, finding: Finding, held: Resource) -> Resource:
    """It says what the clinician says, and what they say against the models."""
    judgement = review.of(finding.key)
    assert judgement is not None
    signed = {**held, "interpretation": [interpreted(finding, judgement)]}
    if not judgement.reason:
        return signed
    return {**signed, "note": [*held.get("note", ()), _note(prescreen, review, judgement)]}


def _note(prescreen: Prescreen, review: Review, judgement: Judgement) -> Resource:
    return {
        "authorReference": clinician(prescreen, review),
        "time": instant(review),
        "text": words.judged(judgement),
    }


def _report(prescreen: Prescreen, review: Review, held: Resource) -> Resource:
    present = [f for f in prescreen.findings if (j := review.of(f.key)) and words.is_present(f, j)]
    signed = {name: value for name, value in held.items() if name != "conclusionCode"} | {
        "issued": instant(review),
        "resultsInterpreter": _with(held.get("resultsInterpreter", []), clinician(prescreen, review)),
        "conclusion": words.signed_conclusion(prescreen, review),
    }
    return {**signed, "conclusionCode": [concluded(finding) for finding in present]} if present else signed


def _provenance(prescreen: Prescreen, review: Review, held: Resource) -> Resource:
    """AI Transparency on FHIR: a human who confirmed is a verifier, beside the models that are authors."""
    role = codes.concept(
        "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "verifier", "Verifier"
    )
    verifier = {"type": role, "who": clinician(prescreen, review)}
    return {**held, "recorded": instant(review), "agent": _with(held["agent"], verifier)}


def _with(held: list[Resource], one: Resource) -> list[Resource]:
    return held if one in held else [*held, one]
