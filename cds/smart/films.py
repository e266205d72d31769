"""The film of a prescreen, or one beside it, fetched from the PACS when it is looked at; that it was is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cds.audit import balp
from cds.ehr.imaging_studies import MODALITIES, StudyCandidate
from cds.errors import EngineError, NoSaliency, NotAllowed, SightlineError, Unknown, UpstreamError
from cds.findings import Prescreen, StudySeen
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.locating import has_images, locate
from cds.imaging.pixels import Radiograph
from cds.imaging.retrieval import fetch
from cds.imaging.selection import choose
from cds.registration import Registration
from cds.smart import audit
from cds.smart.query import parameter
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn
from cds.smart.studies import Studies

T = TypeVar("T")


class Read(Protocol):
    """Decodes one frame of a DICOM file (:mod:`cds.imaging.pixels`)."""

    def __call__(self, file: bytes, /, *, frame: int) -> Radiograph: ...


@dataclass(frozen=True, slots=True)
class Film:
    """Which instance of which study, for which tenant."""

    tenant: str
    study_uid: str
    series_uid: str
    instance_uid: str
    frame: int | None = None
    """From 1, where the instance has many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and beside which prescreen."""

    session: Session
    registration: Registration
    prescreen: Prescreen


class FilmRefused(SightlineError):
    """Why there is no picture: one sentence for where it would be, with :attr:`status`."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Films:
    """Makes something of the film that a request names."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, studies: Studies) -> None:
        self._services = services
        self._signed_in = signed_in
        self._studies = studies

    def scored(self, make: Callable[[Prescreen, DICOMweb], T]) -> T:
        """What ``make`` makes of the prescreen that the request names, and the PACS that has its study.

        Raises :class:`FilmRefused`, or a refusal.
        """
        asked = self._asked()
        return self._made(asked, _scored(asked.prescreen), lambda pacs: make(asked.prescreen, pacs))

    def __call__(self, make: Callable[[Film, DICOMweb], T]) -> T:
        """The same of one film: the prescreen's, or that of the ``study`` that the request names beside it."""
        asked = self._asked()
        named = parameter("study")
        study = self._beside(asked, named) if named else _scored(asked.prescreen)
        return self._made(asked, study, lambda pacs: make(film_of(asked.prescreen.tenant, study, pacs), pacs))

    def _asked(self) -> Asked:
        session, registration = self._signed_in()
        prescreen = chosen(self._services.prescreens, registration, session, parameter("prescreen"))
        if not may_read(session.scope, "ImagingStudy"):
            raise FilmRefused("the EHR did not grant reading images", 403)
        return Asked(session, registration, prescreen)

    def _beside(self, asked: Asked, named: str) -> StudyCandidate:
        try:
            studies = self._studies.beside(asked.session, asked.registration, asked.prescreen)
        except UpstreamError:
            raise FilmRefused("the EHR does not say just now which studies there are", 502) from None
        study = next((one for one in studies if self._studies.name(one) == named), None)
        if study is None:
            raise FilmRefused("the patient has no such chest radiograph", 404)
        return study

    def _made(self, asked: Asked, study: StudySeen | StudyCandidate, make: Callable[[DICOMweb], T]) -> T:
        open_pacs = self._services.open_pacs(asked.registration, asked.prescreen.fhir_server)
        try:
            made = make(open_pacs(_root(study, open_pacs)))
        except (Unknown, NoSaliency) as lacking:
            raise FilmRefused(str(lacking), 404) from None
        except NotAllowed:
            raise FilmRefused("the image is in a PACS that Sightline is not set up for", 403) from None
        except EngineError:
            raise FilmRefused("there is too much else to do just now; try again in a moment", 503) from None
        except SightlineError:
            raise FilmRefused("the image cannot be had from the PACS just now", 502) from None
        exchange = audit.with_browser(self._services, asked.session)
        read = balp.patient_read(exchange, asked.prescreen.patient, study.reference)
        self._services.on_event(asked.registration.tenant, read)
        return made


def _scored(prescreen: Prescreen) -> StudySeen:
    if prescreen.study is None:
        raise FilmRefused("there is no such image", 404)
    return prescreen.study


def _root(study: StudySeen | StudyCandidate, open_pacs: Callable[[str], DICOMweb]) -> str:
    """The PACS that has the study; raises what :func:`~cds.imaging.locating.locate` does."""
    if isinstance(study, StudySeen):
        return study.root
    return locate(study.roots, lambda root: has_images(open_pacs(root), study.study_uid, MODALITIES)).root


def film_of(tenant: str, study: StudySeen | StudyCandidate, pacs: DICOMweb) -> Film:
    """The image of a study that was scored, or would be."""
    if isinstance(study, StudySeen):
        return Film(tenant, study.study_uid, study.series_uid, study.instance_uid, study.frame)
    choice = choose(pacs.instances(study.study_uid))
    return Film(tenant, study.study_uid, choice.series_uid, choice.instance_uid)


def fetched(film: Film, pacs: DICOMweb, read: Read) -> Radiograph:
    """What ``read`` makes of it; raises what :func:`~cds.imaging.retrieval.fetch` does."""

    def read_frame(file: bytes) -> Radiograph:
        return read(file, frame=film.frame or 1)

    return fetch(pacs, film.study_uid, film.series_uid, film.instance_uid, read_frame)
