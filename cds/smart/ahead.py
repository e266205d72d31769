"""What a page asks for at the first look is made while it is on its way: the film, and the worst finding's map.

Nobody waits for it here, and nobody has seen it yet: that is told when it is shown.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from cds.errors import SightlineError
from cds.registration import Registration
from cds.smart.films import film_of
from cds.smart.pictures import Pictures
from cds.smart.scopes import may_read
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import in_context


class Ahead:
    """Begins with it when somebody has signed in."""

    def __init__(self, services: SmartServices, pictures: Pictures) -> None:
        self._services = services
        self._pictures = pictures

    def __call__(self, registration: Registration, session: Session) -> None:
        if may_read(session.scope, "ImagingStudy"):
            self._services.afterwards(partial(self._make, registration, session))

    def _make(self, registration: Registration, session: Session) -> None:
        # What cannot be made is said to whoever asks for it.
        with suppress(SightlineError):
            prescreen = in_context(self._services.prescreens, registration, session)
            if prescreen is None or prescreen.study is None:
                return
            pacs = self._services.open_pacs(registration, prescreen.fhir_server)(prescreen.study.root)
            self._pictures.reduced(film_of(prescreen.tenant, prescreen.study, pacs), pacs)
            for worst in prescreen.explainable[:1]:
                self._services.explain(prescreen, worst.key, pacs)
