"""STOW-RS: store instances (PS3.18 10.5), answered by the Store Instances Response Module (PS3.18 Annex I)."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from cds.errors import ImagingError
from cds.sandbox.archive import Instance, identify
from cds.sandbox.dicomweb.negotiation import DICOM, check_json_accepted, dicom_json, parts
from cds.sandbox.parts import sandbox

_MAX_BODY_BYTES = 256 * 1024 * 1024
_CANNOT_UNDERSTAND, _DOES_NOT_MATCH = 0xC000, 0xA900
"""Failure reasons of PS3.18 Table I.2-2."""


def store(study: str | None = None) -> Response:
    """200 where all were kept, 202 where some, 409 where none; with ``study`` only instances of that study."""
    request.max_content_length = _MAX_BODY_BYTES
    check_json_accepted()
    options = request.mimetype_params
    if request.mimetype != "multipart/related" or options.get("type", DICOM) != DICOM:
        raise UnsupportedMediaType('the body must be multipart/related; type="application/dicom"')
    outcome = _Outcome(study)
    for kind, content in parts(request.get_data(cache=False), options.get("boundary", "")):
        outcome.store(kind, content)
    return dicom_json(outcome.response(), outcome.status)


class _Outcome:
    """What became of each part."""

    def __init__(self, study: str | None) -> None:
        self._study = study
        self._kept: list[Instance] = []
        self._failed: list[dict[str, Any]] = []
        self._unreadable: list[dict[str, Any]] = []

    def store(self, kind: str, content: bytes) -> None:
        try:
            if kind.partition(";")[0].strip().lower() != DICOM:
                raise ImagingError("the part is not application/dicom")
            instance = identify(content)
        except ImagingError:
            self._unreadable.append(_reason(_CANNOT_UNDERSTAND))
            return
        if self._study not in (None, instance.study):
            self._failed.append(_named(instance) | _reason(_DOES_NOT_MATCH))
            return
        sandbox().archive.keep(instance, content)
        self._kept.append(instance)

    @property
    def status(self) -> int:
        if not self._kept:
            return 409
        return 202 if self._failed or self._unreadable else 200

    def response(self) -> dict[str, Any]:
        """Referenced SOP Sequence, Failed SOP Sequence, Other Failures Sequence; each only where it has items."""
        root = sandbox().dicomweb_root
        referenced = [
            _named(one)
            | _element(
                "00081190", "UR", f"{root}/studies/{one.study}/series/{one.series}/instances/{one.instance}"
            )
            for one in self._kept
        ]
        sequences = {"00081199": referenced, "00081198": self._failed, "0008119A": self._unreadable}
        answer = {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
        studies = {one.study for one in self._kept}
        return answer | (
            _element("00081190", "UR", f"{root}/studies/{studies.pop()}") if len(studies) == 1 else {}
        )


def _named(instance: Instance) -> dict[str, Any]:
    """Referenced SOP Class UID and Referenced SOP Instance UID."""
    return _element("00081150", "UI", instance.sop_class) | _element("00081155", "UI", instance.instance)


def _reason(code: int) -> dict[str, Any]:
    return _element("00081197", "US", code)


def _element(tag: str, vr: str, value: str | int) -> dict[str, Any]:
    return {tag: {"vr": vr, "Value": [value]}}
