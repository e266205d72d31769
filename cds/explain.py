"""The use case: show over a film which places of it speak for a finding. Made when first looked at, then kept."""

from __future__ import annotations

import base64

from cds.deadline import Deadline
from cds.engine.bundles import Bundle
from cds.errors import NoSaliency, Unknown
from cds.findings import Prescreen, StudySeen
from cds.imaging.ct import windows
from cds.imaging.ct.slice import Slice
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.film import Film
from cds.imaging.overlay import overlay_png
from cds.imaging.retrieval import fetch, retrieve
from cds.inference.engine import Engine
from cds.store import scores
from cds.store.database import Database
from cds.store.once import Once

KIND = "overlay/1"
"""Of a kept score; the number changes whenever the same map would look otherwise."""
LONGER_SIDE = 512
"""Pixels. A map has 7 x 7 places or so: a browser may enlarge it."""
LIMIT_MS = 10_000
"""A person waits for it."""


class Explaining:
    """Everything that an overlay needs, and the overlay itself."""

    def __init__(self, engine: Engine, database: Database, *, secret: bytes, once: Once) -> None:
        self._engine = engine
        self._database = database
        self._secret = secret
        self._once = once

    def __call__(self, prescreen: Prescreen, finding: str, pacs: DICOMweb) -> bytes:
        """A PNG to lay over the whole film of ``prescreen``, at any size (:mod:`cds.imaging.overlay`).

        Raises :class:`Unknown` where the image was not scored for ``finding``, :class:`NoSaliency` where the model
        that scored it is not in use any more or cannot be looked into, :class:`~cds.errors.EngineError` where
        there is too much else to do, and what :func:`retrieve` raises.
        """
        study = prescreen.study
        scored = next((f for f in prescreen.findings if f.key == finding and f.image is not None), None)
        if study is None or scored is None:
            raise Unknown("the image was not scored for such a finding")
        if scored.key_slice and not scored.key_slice.shown_in(study):
            raise NoSaliency("not available: the slice that speaks most for it is another than the one shown")
        models = self._engine.models
        bundle = next((one for one in (models.image, *models.ct) if one.version in prescreen.models), None)
        if bundle is None:
            raise NoSaliency("not available: the model that scored this image is not in use any more")
        named = [study.root, study.instance_uid, study.frame, bundle.version.digest, finding]
        key = scores.key_of(self._secret, *named)
        make = self._of_slice if bundle.of_ct else self._of_film
        return self._once(
            f"{KIND}:{prescreen.tenant}:{key}",
            lambda: self._kept(prescreen.tenant, key),
            lambda: self._keep(prescreen.tenant, key, make(study, finding, pacs, bundle)),
        )

    def _of_film(self, study: StudySeen, finding: str, pacs: DICOMweb, bundle: Bundle) -> bytes:
        deadline = Deadline.after(LIMIT_MS)

        def decode(file: bytes) -> Film:
            return self._engine.read_film(file, deadline)

        film = retrieve(pacs, study.study_uid, study.series_uid, study.instance_uid, decode)
        saliency = self._engine.explain_film(film.picture, finding, deadline)
        return overlay_png(saliency, film.place, film.shape, LONGER_SIDE)

    def _of_slice(self, study: StudySeen, finding: str, pacs: DICOMweb, bundle: Bundle) -> bytes:
        deadline = Deadline.after(LIMIT_MS)

        def decode(file: bytes) -> Slice:
            return self._engine.read_slice(file, study.frame, deadline)

        units = fetch(pacs, study.study_uid, study.series_uid, study.instance_uid, decode).hounsfield
        picture = self._engine.picture_slice(units, bundle, deadline)
        saliency = self._engine.explain_slice(picture, bundle, finding, deadline)
        return overlay_png(saliency, windows.placement(units, bundle.input), units.shape, LONGER_SIDE)

    def _kept(self, tenant: str, key: str) -> bytes | None:
        with self._database.transaction(tenant) as connection:
            body = scores.get(connection, tenant, key, KIND)
        return base64.b64decode(body["png"]) if body else None

    def _keep(self, tenant: str, key: str, png: bytes) -> bytes:
        with self._database.transaction(tenant) as connection:
            scores.put(connection, tenant, key, KIND, {"png": base64.b64encode(png).decode()})
        return png
