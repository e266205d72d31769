"""The film that :func:`tests.prescreens.prescreen` says it saw, for a PACS to hold."""

from __future__ import annotations

from cds.sandbox.radiograph import render
from tests.imaging.conftest import make_file
from tests.prescreens import prescreen

SEEN = prescreen().study
assert SEEN
FILM = make_file(
    render(23, size=(400, 350)),
    stored=12,
    StudyInstanceUID=SEEN.study_uid,
    SeriesInstanceUID=SEEN.series_uid,
    SOPInstanceUID=SEEN.instance_uid,
)
