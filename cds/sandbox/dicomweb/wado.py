"""WADO-RS: retrieve studies, series, instances and their metadata (PS3.18 10.4).

Instances go out byte for byte as they were stored; nothing is transcoded.
"""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import NotAcceptable

from cds.errors import Unknown
from cds.sandbox.archive import Instance
from cds.sandbox.dicomweb.negotiation import DICOM, accepted, check_json_accepted, dicom_json, multipart
from cds.sandbox.parts import sandbox


def retrieve(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """The instances as multipart/related, or one alone as ``application/dicom`` where that is asked for."""
    found = instances(study, series, instance)
    archive = sandbox().archive
    for kind, options in accepted():
        if not _transfer_syntax_fits(options.get("transfer-syntax", "*"), found):
            continue
        if kind in ("*/*", "multipart/*") or (kind == "multipart/related" and options.get("type", DICOM) == DICOM):
            return multipart(DICOM, ((_content_type(one), archive.path(one).read_bytes()) for one in found))
        if kind == DICOM and instance:
            return Response(archive.path(found[0]).read_bytes(), content_type=_content_type(found[0]))
    raise NotAcceptable('only multipart/related; type="application/dicom" as stored is served here')


def metadata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """DICOM JSON of each instance, without pixels and other bulk data."""
    check_json_accepted()
    return dicom_json([one.metadata for one in instances(study, series, instance)])


def instances(study: str, series: str | None, instance: str | None) -> list[Instance]:
    """What is stored there; :class:`Unknown` where nothing is."""
    found = sandbox().archive.find(study=study, series=series, instance=instance)
    if not found:
        raise Unknown("there is no such study, series or instance")
    return found


def _transfer_syntax_fits(asked: str, found: list[Instance]) -> bool:
    return asked == "*" or all(one.transfer_syntax == asked for one in found)


def _content_type(instance: Instance) -> str:
    return f"{DICOM}; transfer-syntax={instance.transfer_syntax}"
