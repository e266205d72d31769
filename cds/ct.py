"""The use case: look at a recent CT where a CT is ordered and a bundle reads such; :mod:`cds.prescreen` comes by.

No CT bundle is shipped. Which are in use, one for each part of the body, is up to who brings them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from cds.deadline import Deadline
from cds.ehr import imaging_studies
from cds.ehr.datatypes import Resource
from cds.ehr.imaging_procedure import ct_of
from cds.ehr.imaging_studies import Selection
from cds.engine.bundles import Bundle
from cds.engine.network import Logits
from cds.engine.slices import Pictures, SeriesScore, score_series
from cds.errors import ImagingError
from cds.findings import ImageReading, KeySlice, StudySeen
from cds.imaging.ct.series import SeriesChoice, choose_series, retrieve_series
from cds.imaging.ct.slice import CtInstance
from cds.imaging.ct.volume import Volume, stacked
from cds.imaging.dicomweb import DICOMweb
from cds.inference.engine import Engine
from cds.stopwatch import Stopwatch

LIMIT_MS = 120_000
"""Of one series. No hook waits for it: what a hook asks of the engine comes first."""


class CtReader:
    """Looks at CTs of one part of the body; only under ``turn``, for a series takes up to 320 MB."""

    def __init__(self, engine: Engine, bundle: Bundle, turn: AbstractContextManager[Any]) -> None:
        self._engine = engine
        self._turn = turn
        self._core = threading.Lock()
        self.bundle = bundle
        self.region: str = bundle.input["body_part"]
        self.wanted = ct_of(self.region)
        """What of a chart it looks at."""

    def finds_one_in(self, studies: Iterable[Resource]) -> bool:
        """Whether such a CT is on record, wherever its pixels are."""
        return bool(imaging_studies.select(studies, [], self.wanted, elsewhere=("anywhere",)).candidates)

    def read(self, pacs: DICOMweb, selection: Selection, watch: Stopwatch) -> ImageReading:
        """Score the newest of ``selection``, which has one, and which ``pacs`` has.

        Raises a leaf of :class:`~cds.errors.UpstreamError`, :class:`ImagingError` with the reason where the series
        cannot be scored, :class:`~cds.errors.ModelError` where its scores are none, and
        :class:`~cds.errors.EngineError` where there is too much else to do.
        """
        study = selection.candidates[0]
        with watch("find image"):
            instances = partial(pacs.instances, study.study_uid)
            choice = choose_series(pacs.series(study.study_uid), self.region, instances)
        with self._turn:
            deadline = Deadline.after(LIMIT_MS)
            decode = partial(self._decode, deadline)
            with watch("fetch and decode image"):
                slices = retrieve_series(pacs, study.study_uid, choice.series_uid, self.region, decode)
            with watch("score image"):
                volume = stacked(slices)
                scored = self._score(volume, deadline)
            return _reading(self.bundle, scored, volume, choice, selection, pacs.root)

    def _decode(self, deadline: Deadline, file: bytes) -> CtInstance:
        # Fetched several at once, decoded one by one: others need the cores.
        with self._core:
            return self._engine.read_ct(file, self.bundle, deadline)

    def _score(self, volume: Volume, deadline: Deadline) -> SeriesScore:
        def network(pictures: Pictures) -> Logits:
            return self._engine.score_slices(pictures, self.bundle, deadline)

        pictures = (self._engine.picture_slice(s.hounsfield, self.bundle, deadline) for s in volume.slices)
        return score_series(self.bundle, network, pictures)


class CtReaders:
    """Those of all CT bundles in use; one series at a time."""

    def __init__(self, engine: Engine) -> None:
        turn = threading.Lock()
        readers = [CtReader(engine, bundle, turn) for bundle in engine.models.ct]
        self._by_region = {reader.region: reader for reader in readers}

    def asked_for(self, regions: Iterable[str]) -> list[CtReader]:
        """Those for ``regions``, parts of the body, always in the same order."""
        return [self._by_region[region] for region in sorted(regions) if region in self._by_region]


def _reading(
    bundle: Bundle, scored: SeriesScore, volume: Volume, choice: SeriesChoice, selection: Selection, root: str
) -> ImageReading:
    study, slices = selection.candidates[0], volume.slices
    key_slices = {
        finding: KeySlice(slices[place].instance_uid, place + 1, len(slices), slices[place].frame)
        for finding, place in zip(bundle.findings, scored.leading, strict=True)
    }
    highest = max(bundle.findings, key=lambda finding: scored.score.probabilities[finding])
    seen = StudySeen(
        study_uid=study.study_uid,
        series_uid=choice.series_uid,
        instance_uid=key_slices[highest].instance_uid,
        frame=key_slices[highest].frame,
        modality="CT",
        view="",
        started=study.started,
        reference=study.reference,
        root=root,
        passed_over=(*volume.left_out, *choice.passed_over, *selection.passed_over),
        burned_in=any(one.burned_in for one in slices),
    )
    return ImageReading(seen, scored.score, key_slices, volume.lacking)


def nowhere(selection: Selection) -> ImagingError:
    """Why none of a chart's CTs can be fetched."""
    return ImagingError(f"no CT on record can be fetched ({', '.join(selection.passed_over)})")
