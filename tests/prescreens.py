"""A prescreen to build cards and resources from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from cds.findings import Finding, Level, Missing, ModelVersion, NoteSeen, Prescreen, StudySeen

IMAGE_MODEL = ModelVersion("image", "chest-radiograph", "1.0.0", "a" * 64)
NOTE_MODEL = ModelVersion("note", "clinical-note", "1.0.0", "b" * 64)
DEIDENTIFIER = ModelVersion("identifiers", "deidentifier", "1.0.0", "d" * 64)
FUSION = ModelVersion("fusion", "late-fusion", "1.0.0", "e" * 64)

PNEUMOTHORAX = Finding("pneumothorax", 0.93, Level.HIGH, image=0.95, note=0.81, interval=(0.62, 0.97))
EFFUSION = Finding("effusion", 0.5, Level.REVIEW, image=0.5, note=0.5)
MASS = Finding("mass", 0.02, Level.LOW, image=0.02, note=0.01)

DOUBT = "the film seems to be turned; what it shows needs manual review."
PACS_DOWN = Missing("image", "the PACS did not answer (503).")


def prescreen(**changes: Any) -> Prescreen:
    given = Prescreen(
        id="1b4e28ba-2fa1-51d2-883f-0016d3cca427",
        key="k",
        tenant="general",
        patient="Patient/p1",
        fhir_server="https://ehr.example/fhir",
        findings=(PNEUMOTHORAX, EFFUSION, MASS),
        models=(IMAGE_MODEL, NOTE_MODEL),
        study=StudySeen(
            study_uid="1.2.3",
            series_uid="1.2.3.1",
            instance_uid="1.2.3.1.1",
            modality="DX",
            view="PA",
            started=datetime(2026, 11, 20, 8, tzinfo=UTC),
            reference="ImagingStudy/s1",
            root="https://pacs.example/dicom-web",
        ),
        notes=(NoteSeen("DocumentReference/d1", "ED note", date(2026, 11, 20), "c" * 64),),
        issued=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    )
    return replace(given, **changes)


def in_doubt(**changes: Any) -> Prescreen:
    """The same, of a film that :data:`DOUBT` is said of."""
    given = prescreen(**changes)
    assert given.study
    return replace(given, study=replace(given.study, quality=("seems to be turned",)))
