"""Who may see which study: SMART scopes on ImagingStudy, and the faults that are set on studies."""

from __future__ import annotations

from typing import Literal

from werkzeug.exceptions import ServiceUnavailable, default_exceptions

from cds.errors import Forbidden, Unknown
from cds.sandbox.archive import UID
from cds.sandbox.bearer import access
from cds.sandbox.parts import sandbox
from cds.sandbox.query import parse


def check_scope(interaction: Literal["create", "read"]) -> None:
    """:class:`Forbidden` unless a scope covers ImagingStudy; to store, one that is not of one patient only."""
    if not access().allows("ImagingStudy", interaction):
        raise Forbidden(f"no scope of the token permits {interaction} on ImagingStudy")
    if interaction == "create" and access().compartment("ImagingStudy", "create") is not None:
        raise Forbidden("a patient/ scope does not let images be stored")


def visible(study: str) -> bool:
    """Whether the token may see the study: with a ``patient/`` scope, one of that patient's ImagingStudies."""
    patient = access().compartment("ImagingStudy", "read")
    if patient is None:
        return True
    asked = parse("ImagingStudy", [("patient", patient), ("identifier", f"urn:dicom:uid|urn:oid:{study}")])
    return sandbox().records.search(asked).total > 0


def check_study(study: str) -> None:
    """:class:`Forbidden` for a study that the token may not see; the study's own fault where one is set."""
    if not UID.fullmatch(study):
        raise Unknown("there is no such study")
    if not visible(study):
        raise Forbidden("the study is not one of the token's patient")
    check_fault(study)


def check_fault(study: str) -> None:
    """Raise the HTTP error that :meth:`DicomArchive.fault` set for the study."""
    status = sandbox().archive.fault_of(study)
    if status is not None:
        raise default_exceptions.get(status, ServiceUnavailable)("the study cannot be served now")
