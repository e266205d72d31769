"""Results into the PACS: a Structured Report and Secondary Captures, in the study of the image that was scored.

They are made when they are delivered, from the film as the PACS holds it: who the patient is, we do not keep.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cds.audit import balp
from cds.audit.balp import Event, Exchange, Party
from cds.audit.trail import OnBehalf, Trail
from cds.engine.active import in_use
from cds.engine.image import ImageReader
from cds.errors import Missing, NoSaliency
from cds.findings import Finding, Level, Prescreen, StudySeen
from cds.imaging.derived import Source, image_model
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.framing import OVERSAMPLING, framed, placement
from cds.imaging.overlay import on_film
from cds.imaging.pixels import Radiograph, read_radiograph
from cds.imaging.retrieval import fetch
from cds.imaging.secondary_capture import picture, secondary_capture
from cds.imaging.structured_report import structured_report
from cds.pacs import PacsAccess
from cds.registration import Registrations
from cds.reporting import words
from cds.reporting.record import Record
from cds.settings import Settings
from cds.store import outbox
from cds.store.database import Connection
from cds.store.outbox import Delivery
from cds.worker.delivery import GivenUp

MOST_CAPTURES = 3
"""One for each finding above its threshold, the worst first; no more."""

log = logging.getLogger(__name__)


class ImageModel:
    """The image model in use, loaded when it is first asked for: a worker that makes no captures has none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._reader: ImageReader | None = None

    def __call__(self) -> ImageReader:
        """Raise :class:`~cds.errors.ModelError` where it does not load."""
        with self._lock:
            if self._reader is None:
                self._reader = ImageReader.load(in_use(self._settings, "image"), self._settings.device)
            return self._reader


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
    model: Callable[[], ImageReader]

    def __call__(self, tenant: str, payload: Mapping[str, Any]) -> bool:
        """However often it is called, the PACS holds the same instances; none of what does not stand any more.

        Raises a leaf of :class:`~cds.errors.UpstreamError`, and :class:`~cds.errors.ImagingError` for a film that
        cannot be read any more.
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
        at_least = OVERSAMPLING * self.model().bundle.input["height"]
        source, film = _fetched(pacs, study, study.instance_uid, at_least)
        return source, list(self._captures(prescreen, source, film))

    def _key_slices(self, pacs: DICOMweb, prescreen: Prescreen, study: StudySeen) -> tuple[Source, list[bytes]]:
        """The slice that speaks most for each finding, in the window that the scanner gave it."""
        captures = []
        for number, finding in enumerate(_shown(prescreen), start=1):
            if finding.key_slice is None:
                continue
            source, film = _fetched(pacs, study, finding.key_slice.instance_uid)
            lines = (
                f"{finding.type.display}: probability {words.percent(finding.image or 0.0)}",
                f"{words.key_slice(finding).capitalize()}: {words.model(image_model(prescreen))}",
            )
            colours = picture(film.pixels, np.zeros_like(film.pixels), lines)
            writing = film.burned_in is not False
            captures.append(secondary_capture(prescreen, source, finding.key, number, colours, burned_in=writing))
        return _header(pacs, study), captures

    def _captures(self, prescreen: Prescreen, source: Source, film: Radiograph) -> Iterator[bytes]:
        """None where the model that scored the image cannot show what it went by, or is not in use any more."""
        model = self.model()
        if model.bundle.version not in prescreen.models:
            log.warning("no captures for the PACS: the model that scored the image is not in use any more")
            return
        for number, finding in enumerate(_shown(prescreen), start=1):
            try:
                saliency = model.explain(framed(film.pixels, model.bundle.input), finding.key)
            except NoSaliency as lacking:
                log.warning("no captures for the PACS: %s", lacking)
                return
            lines = (
                f"{finding.type.display}: probability {words.percent(finding.image or 0.0)}",
                f"What speaks for it (Grad-CAM): {words.model(model.bundle.version)}",
            )
            shown = on_film(saliency, placement(film.pixels, model.bundle.input), film.pixels.shape)
            colours = picture(film.pixels, shown, lines)
            writing = film.burned_in is not False
            yield secondary_capture(prescreen, source, finding.key, number, colours, burned_in=writing)


def _shown(prescreen: Prescreen) -> list[Finding]:
    """What a person should look at, of what the image was scored for."""
    worth = [f for f in prescreen.findings if f.image is not None and f.level is not Level.LOW]
    return worth[:MOST_CAPTURES]


def _header(pacs: DICOMweb, study: StudySeen) -> Source:
    """What we refer to of the image that was scored, whether or not its pixels can be read."""
    return fetch(pacs, study.study_uid, study.series_uid, study.instance_uid, Source.read)


def _fetched(
    pacs: DICOMweb, study: StudySeen, instance_uid: str, at_least: int | None = None
) -> tuple[Source, Radiograph]:
    """An image of the series that was scored, and what we refer to of it."""
    sources: list[Source] = []

    def decode(file: bytes) -> Radiograph:
        film = read_radiograph(file, at_least=at_least)
        sources.append(Source.read(file))
        return film

    film = fetch(pacs, study.study_uid, study.series_uid, instance_uid, decode)
    return sources[-1], film
