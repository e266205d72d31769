"""The use case: look at a recent CT where a CT is ordered and a bundle reads such; :mod:`cds.prescreen` comes by.

No CT bundle is shipped. Which are in use, one for each part of the body, is up to who brings them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from cds.ehr import imaging_studies
from cds.ehr.chart import Chart
from cds.ehr.datatypes import Resource
from cds.ehr.imaging_procedure import ct_of
from cds.ehr.imaging_studies import Selection
from cds.engine.bundles import Bundle
from cds.engine.slices import Logits, Pictures, SeriesScore, score_series
from cds.errors import ImagingError
from cds.findings import ImageReading, KeySlice, StudySeen
from cds.imaging.ct.series import SeriesChoice, choose_series, retrieve_series
from cds.imaging.ct.slice import Slice, read_slice
from cds.imaging.ct.volume import Volume, stacked
from cds.imaging.ct.windows import pictured
from cds.imaging.dicomweb import DICOMweb
from cds.stopwatch import Stopwatch


class Network(Protocol):
    """The network of a CT bundle (:class:`cds.engine.slices.SliceReader`)."""

    bundle: Bundle

    def __call__(self, pictures: Pictures, /) -> Logits: ...


class CtReader:
    """Looks at CTs of one part of the body; only under ``turn``, for a series takes up to 320 MB."""

    def __init__(self, network: Network, turn: AbstractContextManager[Any]) -> None:
        self._network = network
        self._turn = turn
        self._core = threading.Lock()
        self.bundle = network.bundle
        self.region: str = network.bundle.input["body_part"]
        self._wanted = ct_of(self.region)

    def finds_one_in(self, studies: Iterable[Resource]) -> bool:
        """Whether such a CT is on record, wherever its pixels are."""
        return bool(imaging_studies.select(studies, [], self._wanted, default_root="anywhere").candidates)

    def select(self, chart: Chart) -> Selection:
        """The CTs of the chart that can be scored, newest first."""
        return imaging_studies.select(chart.studies(), chart.endpoints(), self._wanted)

    def read(self, pacs: DICOMweb, selection: Selection, watch: Stopwatch) -> ImageReading:
        """Score the newest of ``selection``, which has one.

        Raises a leaf of :class:`~cds.errors.UpstreamError`, :class:`ImagingError` with the reason where the series
        cannot be scored, and :class:`~cds.errors.ModelError` where its scores are none.
        """
        study = selection.candidates[0]
        with watch("find image"):
            choice = choose_series(pacs.series(study.study_uid), self.region)
        with self._turn:
            with watch("fetch and decode image"):
                slices = retrieve_series(pacs, study.study_uid, choice.series_uid, self.region, self._decode)
            with watch("score image"):
                volume = stacked(slices)
                asked = self.bundle.input
                pictures = (pictured(one.hounsfield, asked) for one in volume.slices)
                scored = score_series(self.bundle, self._network, pictures)
            return _reading(self.bundle, scored, volume, choice, selection)

    def _decode(self, file: bytes) -> Slice:
        # Fetched several at once, decoded one by one: no hook waits for a CT, and others need the cores.
        with self._core:
            return read_slice(file, contrast_agent=self.bundle.input.get("contrast_agent"))


class CtReaders:
    """Those of all CT bundles in use; one series at a time."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        turn = threading.Lock()
        readers = [CtReader(network, turn) for network in networks]
        self._by_region = {reader.region: reader for reader in readers}

    @property
    def bundles(self) -> list[Bundle]:
        return [reader.bundle for reader in self._by_region.values()]

    def asked_for(self, regions: Iterable[str]) -> list[CtReader]:
        """Those for ``regions``, parts of the body, always in the same order."""
        return [self._by_region[region] for region in sorted(regions) if region in self._by_region]


def _reading(
    bundle: Bundle, scored: SeriesScore, volume: Volume, choice: SeriesChoice, selection: Selection
) -> ImageReading:
    study, slices = selection.candidates[0], volume.slices
    key_slices = {
        finding: KeySlice(slices[place].instance_uid, place + 1, len(slices))
        for finding, place in zip(bundle.findings, scored.leading, strict=True)
    }
    highest = max(bundle.findings, key=lambda finding: scored.score.probabilities[finding])
    seen = StudySeen(
        study_uid=study.study_uid,
        series_uid=choice.series_uid,
        instance_uid=key_slices[highest].instance_uid,
        modality="CT",
        view="",
        started=study.started,
        reference=study.reference,
        root=study.root,
        passed_over=(*volume.left_out, *choice.passed_over, *selection.passed_over),
        burned_in=any(one.burned_in for one in slices),
    )
    return ImageReading(seen, scored.score, key_slices, volume.lacking)


def nowhere(selection: Selection) -> ImagingError:
    """Why none of a chart's CTs can be fetched."""
    return ImagingError(f"no CT on record can be fetched ({', '.join(selection.passed_over)})")
