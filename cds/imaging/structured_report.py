"""What an image model found, as a DICOM Structured Report (PS3.16 TID 1500, "Measurement Report").

One group for each finding: its probability as the certainty that a device places upon it, which algorithm says so,
and of which image.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    EnhancedSR,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from cds.findings import Finding, ModelVersion, Prescreen
from cds.imaging.derived import (
    MANUFACTURER,
    WARNING,
    Source,
    blank,
    derived_uid,
    filed,
    frame_of,
    image_model,
    written,
)

SERIES_NUMBER = 9_101
"""Of no acquisition: a scanner counts from 1."""
CHEST_RADIOGRAPHY = CodedConcept("399208008", "SCT", "Plain chest X-ray")
CT = CodedConcept("77477000", "SCT", "Computed tomography")
PERCENT_DIGITS = 1

# Its log quotes the values that it complains about, and a value may be a name.
logging.getLogger("highdicom").setLevel(logging.CRITICAL + 1)


def structured_report(prescreen: Prescreen, source: Source) -> bytes:
    """A DICOM Part 10 file: Enhanced SR, complete, preliminary, verified by nobody.

    Raises :class:`~cds.errors.ImagingError` where the prescreen has no image, or no time.
    """
    model = image_model(prescreen)
    scored = [finding for finding in prescreen.findings if finding.image is not None]
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(model)),
        procedure_reported=CT if any(finding.key_slice for finding in scored) else CHEST_RADIOGRAPHY,
        imaging_measurements=[_group(finding, prescreen, source, model) for finding in scored],
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = EnhancedSR(
        evidence=[
            blank(source, source.sop_class_uid, instance, source.series_uid)
            for instance in _instances(scored, source)
        ],
        content=content[0],
        series_instance_uid=derived_uid(prescreen, "SR/series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derived_uid(prescreen, "SR"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    for equipment in report.ContributingEquipmentSequence:
        # When the library was at work; what is made again has to be the same.
        del equipment.ContributionDateTime
    return written(filed(report, source, prescreen))


def _group(
    finding: Finding, prescreen: Prescreen, source: Source, model: ModelVersion
) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501, by whose tracking identifiers a later report can speak of the same finding."""
    probability = round(100 * (finding.image or 0.0), PERCENT_DIGITS)
    kind = finding.type
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(derived_uid(prescreen, f"SR/{kind.key}"), kind.key),
        finding_type=CodedConcept(kind.snomed, "SCT", kind.display),
        algorithm_id=AlgorithmIdentification(
            name=model.name,
            version=model.version,
            family=codes.DCM.ArtificialIntelligence,
            manufacturer=MANUFACTURER,
            parameters=[f"sha256:{model.digest}"],
        ),
        measurements=[Measurement(name=codes.DCM.CertaintyOfFinding, value=probability, unit=codes.UCUM.Percent)],
        source_images=[_image(finding, prescreen, source)],
    )


def _image(finding: Finding, prescreen: Prescreen, source: Source) -> SourceImageForMeasurementGroup:
    frame = frame_of(finding, prescreen, source)
    frames = [frame] if frame else None
    return SourceImageForMeasurementGroup(source.sop_class_uid, _instance(finding, source), frames)


def _instance(finding: Finding, source: Source) -> str:
    """The image that speaks for it: the film, or of a CT its own key slice, which is of the same series."""
    return finding.key_slice.instance_uid if finding.key_slice else source.instance_uid


def _instances(findings: Sequence[Finding], source: Source) -> list[str]:
    return list(dict.fromkeys(_instance(finding, source) for finding in findings))


def _observer(model: ModelVersion) -> ObserverContext:
    """TID 1004: a device, whose name a viewer shows."""
    # A model version is the same device wherever it looks.
    uid = f"2.25.{int(model.digest[:32], 16)}"
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=uid, name=WARNING, manufacturer_name=MANUFACTURER, model_name=f"{model.name} {model.version}"
        ),
    )
