"""A prescreen as FHIR R4 resources, labelled after AI Transparency on FHIR.

Plain dicts. Our own ids are UUIDs derived from the prescreen's, so that the same prescreen always gives the
same resources; references to the EHR's resources stay relative to the EHR's base.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from cds.findings import SNOMED_CT, Finding, Level, ModelVersion, Prescreen
from cds.reporting import codes, words

Resource = dict[str, Any]

_INTERPRETATION = {
    Level.HIGH: ("POS", "Positive"),
    Level.REVIEW: ("IND", "Indeterminate"),
    Level.LOW: ("NEG", "Negative"),
}
INTERVAL = "Interval of the probability"
_LABEL = {"url": codes.INLINE_LABEL_EXTENSION, "valueCoding": codes.AIAST}
_MODELS = uuid.UUID("6f0b8a34-8f3e-5d8e-9d0a-4f6f6d1f7c55")


def resources(prescreen: Prescreen) -> list[Resource]:
    """Device, Observation, DiagnosticReport, Provenance: in the order in which they can be written.

    Empty where no model had anything to look at: there is nothing that an algorithm asserts.
    """
    if not prescreen.findings:
        return []
    devices = [device(model) for model in prescreen.models]
    observations = [observation(prescreen, finding) for finding in prescreen.findings]
    report = diagnostic_report(prescreen, observations)
    return [*devices, *observations, report, provenance(prescreen, observations, report)]


def report_id(prescreen: Prescreen) -> str | None:
    """The id of the report that :func:`resources` makes, if any."""
    return _id(prescreen, "DiagnosticReport") if prescreen.findings else None


def observation_id(prescreen: Prescreen, finding: str) -> str:
    """The id of the Observation that :func:`observation` makes of a finding."""
    return _id(prescreen, f"Observation/{finding}")


def provenance_id(prescreen: Prescreen) -> str:
    """The id of the Provenance that :func:`provenance` makes."""
    return _id(prescreen, "Provenance")


def device_id(model: ModelVersion) -> str:
    """The id of the Device that :func:`device` makes."""
    return str(uuid.uuid5(_MODELS, model.digest))


def device(model: ModelVersion) -> Resource:
    """One Device per model version, so that everything that one version touched can be found by it."""
    return {
        "resourceType": "Device",
        "id": device_id(model),
        "meta": {"profile": [codes.PROFILES + "model-version"]},
        "identifier": [{"system": codes.MODEL_IDENTIFIER, "value": model.digest}],
        "status": "active",
        "manufacturer": "Sightline",
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "modelNumber": model.name,
        "version": [{"value": model.version}],
        "type": codes.ARTIFICIAL_INTELLIGENCE,
        "note": [{"text": words.DISCLAIMER}],
    }


def observation(prescreen: Prescreen, finding: Finding) -> Resource:
    """One finding: its fused probability as the value; the parts' own and how far it can be off as components.

    What rests on a film in doubt says so.
    """
    sources = [_reference(note.reference) for note in prescreen.notes]
    if prescreen.study:
        sources.insert(0, _reference(prescreen.study.reference))
    parts = {"Image score": finding.image, "Note score": finding.note}
    doubt = words.in_doubt(prescreen) if finding.image is not None else ""
    return _without_empty(
        {
            "resourceType": "Observation",
            "id": observation_id(prescreen, finding.key),
            "meta": {"profile": [codes.PROFILES + "ai-finding"], "security": [codes.AIAST]},
            "identifier": [_identifier(prescreen, f"/{finding.key}")],
            "status": "preliminary",
            "category": [codes.IMAGING],
            "code": codes.concept(SNOMED_CT, finding.type.snomed, finding.type.display),
            "subject": _reference(prescreen.patient),
            "effectiveDateTime": _taken(prescreen),
            "issued": _instant(prescreen),
            "valueQuantity": _probability(finding.probability),
            "interpretation": [interpretation(finding.level)],
            "derivedFrom": sources,
            "component": [
                {"code": {"text": name}, "valueQuantity": _probability(value)}
                for name, value in parts.items()
                if value is not None
            ]
            + _interval(finding),
            "note": [{"text": text} for text in (_where(finding), f"In doubt: {doubt}" if doubt else "") if text],
        }
    )


def diagnostic_report(prescreen: Prescreen, observations: list[Resource]) -> Resource:
    """Preliminary until a clinician signs; AIAST on the resource and on its conclusion."""
    study = prescreen.study
    return _without_empty(
        {
            "resourceType": "DiagnosticReport",
            "id": _id(prescreen, "DiagnosticReport"),
            "meta": {
                "profile": [codes.PROFILES + "ai-prescreen"],
                "security": [codes.AIAST, codes.INLINE_LABEL],
            },
            "identifier": [_identifier(prescreen)],
            "status": "preliminary",
            "category": [codes.concept("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")],
            "code": codes.concept(codes.LOINC, "18748-4", "Diagnostic imaging study"),
            "subject": _reference(prescreen.patient),
            "effectiveDateTime": _taken(prescreen),
            "issued": _instant(prescreen),
            "result": [_reference(f"Observation/{o['id']}") for o in observations],
            "imagingStudy": [_reference(study.reference)] if study else [],
            "conclusion": words.conclusion(prescreen),
            "_conclusion": {"extension": [_LABEL]},
            "conclusionCode": [concluded(f) for f in prescreen.findings if f.level is Level.HIGH],
        }
    )


def provenance(prescreen: Prescreen, observations: list[Resource], report: Resource) -> Resource:
    """Who made the report, the exact model versions, and of what."""
    study = [prescreen.study.reference] if prescreen.study else []
    inputs = [*study, *(note.reference for note in prescreen.notes)]
    return _without_empty(
        {
            "resourceType": "Provenance",
            "id": provenance_id(prescreen),
            "meta": {"profile": [codes.PROFILES + "ai-authorship"], "security": [codes.AIAST]},
            "target": [_reference(f"{r['resourceType']}/{r['id']}") for r in (report, *observations)],
            "recorded": _instant(prescreen),
            "reason": [{"coding": [codes.AIAST]}],
            "agent": [_agent(model) for model in prescreen.models],
            "entity": [{"role": "source", "what": _reference(reference)} for reference in inputs],
        }
    )


def _agent(model: ModelVersion) -> Resource:
    """A model that says something is an author; what de-identified the notes only prepared them."""
    code, display = ("assembler", "Assembler") if model.kind == "identifiers" else ("author", "Author")
    return {
        "type": codes.concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", code, display),
        "role": [codes.ARTIFICIAL_INTELLIGENCE],
        "who": _reference(f"Device/{device_id(model)}"),
    }


def located(resource: Resource, written: list[Resource], fhir_server: str) -> Resource:
    """``resource`` for whoever reads it from us: what lies on the EHR is named by its URL, ours stays relative."""
    own = {f"{r['resourceType']}/{r['id']}" for r in written}
    names = {name for name in _references(resource) if "://" not in name and not name.startswith("#")} - own
    rewritten: Resource = _rewritten(resource, {name: f"{fhir_server}/{name}" for name in names})
    return rewritten


def relative(resource: Resource, fhir_server: str) -> Resource:
    """``resource`` for the EHR: the reverse of :func:`located`."""
    names = {name for name in _references(resource) if name.startswith(f"{fhir_server}/")}
    rewritten: Resource = _rewritten(resource, {name: name.removeprefix(f"{fhir_server}/") for name in names})
    return rewritten


def collection(written: list[Resource]) -> Resource:
    """The resources as a Bundle that refers to its own by ``urn:uuid``, ready for any server's own ids."""
    own = {f"{r['resourceType']}/{r['id']}": f"urn:uuid:{r['id']}" for r in written}
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{r['id']}",
                "resource": _rewritten({k: v for k, v in r.items() if k != "id"}, own),
            }
            for r in written
        ],
    }


def _rewritten(value: Any, own: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            k: own.get(v, v) if k == "reference" and isinstance(v, str) else _rewritten(v, own)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_rewritten(item, own) for item in value]
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference" and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _id(prescreen: Prescreen, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(prescreen.id), name))


def _identifier(prescreen: Prescreen, suffix: str = "") -> Resource:
    return {"system": codes.PRESCREEN_IDENTIFIER, "value": prescreen.id + suffix}


def interpretation(level: Level) -> Resource:
    """Whether a finding is there."""
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    return codes.concept(system, *_INTERPRETATION[level])


def concluded(finding: Finding) -> Resource:
    """A finding that the report concludes, labelled, with its probability (AI Transparency, "AIconfidence")."""
    confidence = {"url": codes.CONFIDENCE_EXTENSION, "valueDecimal": round(finding.probability, 4)}
    concept = codes.concept(SNOMED_CT, finding.type.snomed, finding.type.display)
    return {"extension": [_LABEL, confidence], **concept}


def _where(finding: Finding) -> str:
    """The key slice of a CT, as a person counts it and as a PACS finds it."""
    found = finding.key_slice
    if not found:
        return ""
    frame = f", frame {found.frame}" if found.frame else ""
    return f"{words.key_slice(finding).capitalize()}, SOP Instance UID {found.instance_uid}{frame}"


def _taken(prescreen: Prescreen) -> str | None:
    """When the image was taken that it all is about."""
    study = prescreen.study
    return study.started.isoformat() if study and study.started else None


def _reference(reference: str) -> Resource:
    return {"reference": reference}


def _probability(value: float) -> Resource:
    return {"value": round(value, 4), "unit": "probability", "system": codes.UCUM, "code": "1"}


def _interval(finding: Finding) -> list[Resource]:
    """Within which the probability lies, where that is known."""
    if finding.interval is None:
        return []
    low, high = map(_probability, finding.interval)
    return [{"code": {"text": INTERVAL}, "valueRange": {"low": low, "high": high}}]


def _instant(prescreen: Prescreen) -> str | None:
    return prescreen.issued.isoformat(timespec="milliseconds") if prescreen.issued else None


def _without_empty(resource: Resource) -> Resource:
    """FHIR R4 §2.6.2: no null and no empty list."""
    return {k: v for k, v in resource.items() if v not in (None, [], {})}
