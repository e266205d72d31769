"""Results into the PACS: a Structured Report and Secondary Captures, in the study of the image that was scored.

They are made when they are delivered, from the film as the PACS holds it: who the patient is, we do not keep.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cds.audit import balp
from cds.audit.balp import Event, Exchange, Party
from cds.audit.trail import OnBehalf, Trail
from cds.deadline import Deadline
from cds.errors import Missing, NoSaliency
from cds.findings import Finding, KeySlice, Level, Prescreen, StudySeen
from cds.imaging.ct import windows
from cds.imaging.ct.slice import Slice, read_slice
from cds.imaging.derived import Source, image_model
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.framing import OVERSAMPLING, fitted, placement
from cds.imaging.overlay import on_film
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.imaging.retrieval import fetch
from cds.imaging.secondary_capture import picture, secondary_capture
from cds.imaging.smoothing import Pixels
from cds.imaging.structured_report import structured_report
from cds.inference.engine import Engine
from cds.pacs import PacsAccess
from cds.registration import Registrations
from cds.reporting import words
from cds.reporting.record import Record
from cds.store import outbox
from cds.store.database import Connection
from cds.store.outbox import Delivery
from cds.worker.delivery import GivenUp

MOST_CAPTURES = 3
"""One for each finding above its threshold, the worst first; no more."""
MAP_MS = 10_000
"""By when the engine shows what speaks for a finding: for all, less than :data:`~cds.store.outbox.LEASE`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PacsDelivery:
    """Handles what is to go into a PACS."""

    record: Record
    us: Party
    store: Callable[[str, Mapping[str, Any]], bool]
    """Stores what a payload names, of a tenant (:class:`ToPacs`); false where there is nothing to store."""

    def __call__(self, tenant: str, delivery: Delivery, given_up: GivenUp) -> None:
        """A study was read, and has more in it than before: audited with the mark that it is done."""
        stored = self.store(tenant, delivery.payload)
        server = Party(delivery.destination, delivery.destination)
        exchange = Exchange(self.us, server, self.us)
        patient, study = delivery.payload["patient"], delivery.payload["study"]

        def done(connection: Connection) -> Iterator[Event]:
            outbox.delivered(connection, tenant, delivery.id)
            if stored:
                yield balp.patient_read(exchange, patient, study)
                yield balp.patient_update(exchange, patient, study)

        self.record.write(tenant, Trail(self.us, OnBehalf()), done)


@dataclass(frozen=True, slots=True)
class ToPacs:
    """Stores what was found in the PACS that asks for it."""

    registrations: Registrations
    prescreens: Callable[[str, str], Prescreen | None]
    """The prescreen of a tenant, by its id, where it stands."""
    access: PacsAccess
    engine: Engine

    def __call__(self, tenant: str, payload: Mapping[str, Any]) -> bool:
        """However often it is called, the PACS holds the same instances; none of what does not stand any more.

        Raises a leaf of :class:`~cds.errors.UpstreamError`, :class:`~cds.errors.ImagingError` for a film that
        cannot be read any more, and :class:`~cds.errors.EngineError` where nobody shows what speaks for a finding.
        Then nothing was stored.
        """
        prescreen = self.prescreens(tenant, payload["prescreen"])
        if prescreen is None:
            return False
        if prescreen.study is None:
            raise Missing("the prescreen has no image")
        registration = self.registrations.of_tenant(tenant, prescreen.fhir_server)
        pacs = self.access.to_store(registration, prescreen)
        asked = registration.pacs_for(prescreen.study.root).results
        if "SC" in asked:
            capture = self._key_slices if prescreen.study.modality == "CT" else self._saliency
            source, made = capture(pacs, prescreen, prescreen.study)
        else:
            source, made = _header(pacs, prescreen.study), []
        if "SR" in asked:
            made.insert(0, structured_report(prescreen, source))
        if made:
            pacs.store(prescreen.study.study_uid, made)
        return bool(made)

    def _saliency(self, pacs: DICOMweb, prescreen: Prescreen, study: StudySeen) -> tuple[Source, list[bytes]]:
        """The film with what speaks for each finding laid over it."""
        at_least = OVERSAMPLING * self.engine.models.image.input["height"]

        def decode(file: bytes) -> Radiograph:
            return read_radiograph(file, at_least=at_least)

        file, film = _fetched(pacs, study, study.instance_uid, decode)
        source = Source.read(file)
        return source, list(self._captures(prescreen, source, film))

    def _key_slices(self, pacs: DICOMweb, prescreen: Prescreen, study: StudySeen) -> tuple[Source, list[bytes]]:
        """The slice that speaks most for each finding, in the window that the scanner gave it, and why it does."""
        captures = []
        for number, finding in enumerate(_shown(prescreen), start=1):
            if finding.key_slice is None:
                continue
            file, film = _key_slice(pacs, study, finding.key_slice)
            shown = self._in_slice(prescreen, finding.key, read_slice(file, finding.key_slice.frame))
            why = ", what speaks for it (Grad-CAM)" if shown.any() else ""
            said = f"{words.key_slice(finding).capitalize()}{why}"
            captures.append(_capture(prescreen, Source.read(file), finding, number, film, shown, said))
        return _header(pacs, study), captures

    def _in_slice(self, prescreen: Prescreen, finding: str, key_slice: Slice) -> Pixels:
        """Which places of its key slice speak for it; none where the model cannot show it, or is not in use."""
        units, scored_by = key_slice.hounsfield, image_model(prescreen)
        bundle = next((bundle for bundle in self.engine.models.ct if bundle.version == scored_by), None)
        try:
            if bundle is None:
                raise NoSaliency("not available: the model that scored the image is not in use any more")
            seen = windows.pictured(units, bundle.input)
            saliency = self.engine.explain_slice(seen, bundle, finding, Deadline.after(MAP_MS))
        except NoSaliency as lacking:
            log.warning("a capture for the PACS without a heat map: %s", lacking)
            return np.zeros(units.shape, np.float32)
        return on_film(saliency, windows.placement(units, bundle.input), units.shape)

    def _captures(self, prescreen: Prescreen, source: Source, film: Radiograph) -> Iterator[bytes]:
        """None where the model that scored the image cannot show what it went by, or is not in use any more."""
        bundle = self.engine.models.image
        if bundle.version not in prescreen.models:
            log.warning("no captures for the PACS: the model that scored the image is not in use any more")
            return
        place = placement(film.pixels, bundle.input)
        seen = fitted(film.pixels, place, bundle.input)
        for number, finding in enumerate(_shown(prescreen), start=1):
            try:
                saliency = self.engine.explain_film(seen, finding.key, Deadline.after(MAP_MS))
            except NoSaliency as lacking:
                log.warning("no captures for the PACS: %s", lacking)
                return
            shown = on_film(saliency, place, film.pixels.shape)
            said = "What speaks for it (Grad-CAM)"
            yield _capture(prescreen, source, finding, number, film, shown, said)


def _capture(
    prescreen: Prescreen, source: Source, finding: Finding, number: int, film: Radiograph, shown: Pixels, said: str
) -> bytes:
    """``shown``: what speaks for the finding, of the film's shape; ``said``: what that is."""
    lines = (
        f"{finding.type.display}: probability {words.percent(finding.image or 0.0)}",
        f"{said}: {words.model(image_model(prescreen))}",
    )
    colours = picture(film.pixels, shown, lines)
    writing = film.burned_in is not False
    return secondary_capture(prescreen, source, finding, number, colours, burned_in=writing)


def _shown(prescreen: Prescreen) -> list[Finding]:
    """What a person should look at, of what the image was scored for."""
    worth = [f for f in prescreen.findings if f.image is not None and f.level is not Level.LOW]
    return worth[:MOST_CAPTURES]


def _header(pacs: DICOMweb, study: StudySeen) -> Source:
    """What we refer to of the image that was scored, whether or not its pixels can be read."""
    return fetch(pacs, study.study_uid, study.series_uid, study.instance_uid, Source.read)


def _key_slice(pacs: DICOMweb, study: StudySeen, key: KeySlice) -> tuple[bytes, Radiograph]:
    def decode(file: bytes) -> Radiograph:
        return read_radiograph(file, frame=key.frame or 1)

    return _fetched(pacs, study, key.instance_uid, decode)


def _fetched(
    pacs: DICOMweb, study: StudySeen, instance_uid: str, decode: Callable[[bytes], Radiograph]
) -> tuple[bytes, Radiograph]:
    """The file of an image of the series that was scored, and what it shows."""
    files: list[bytes] = []

    def kept(file: bytes) -> Radiograph:
        files.append(file)
        return decode(file)

    film = fetch(pacs, study.study_uid, study.series_uid, instance_uid, kept)
    return files[-1], film
