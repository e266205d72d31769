"""The film of a prescreen, fetched from the PACS when it is looked at; that it was is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cds.audit import balp
from cds.errors import NoSaliency, SightlineError, Unknown
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.smart import audit
from cds.smart.query import parameter
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn

T = TypeVar("T")


class FilmRefused(SightlineError):
    """Why there is no picture: one sentence for where it would be, with :attr:`status`."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Films:
    """Makes something of the film that a request names by its prescreen."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self, make: Callable[[Prescreen, DICOMweb], T]) -> T:
        """What ``make`` makes of the prescreen and the PACS that has its study.

        Raises :class:`FilmRefused`, or a refusal.
        """
        session, registration = self._signed_in()
        prescreen = chosen(self._services.prescreens, registration, session, parameter("prescreen"))
        if prescreen.study is None:
            raise FilmRefused("there is no such image", 404)
        if not may_read(session.scope, "ImagingStudy"):
            raise FilmRefused("the EHR did not grant reading images", 403)
        try:
            made = make(prescreen, self._services.open_pacs(registration, prescreen))
        except (Unknown, NoSaliency) as lacking:
            raise FilmRefused(str(lacking), 404) from None
        except SightlineError:
            raise FilmRefused("the image cannot be had from the PACS just now", 502) from None
        exchange = audit.with_browser(self._services, session)
        read = balp.patient_read(exchange, prescreen.patient, prescreen.study.reference)
        self._services.on_event(registration.tenant, read)
        return made
