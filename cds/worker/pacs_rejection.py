"""What a PACS was given and is taken back: rejected by a note, where the PACS holds any of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds.errors import Missing
from cds.findings import Prescreen, StudySeen
from cds.imaging.derived import Source, derived_uid
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.rejection import SERIES, Stored, instances, rejection_note
from cds.pacs import PacsAccess
from cds.registration import Registrations


@dataclass(frozen=True, slots=True)
class Rejecting:
    """Rejects what a PACS holds of a prescreen; however often it is called, by the same note."""

    registrations: Registrations
    prescreens: Callable[[str, str], Prescreen | None]
    """The prescreen of a tenant, by its id, whether or not it stands."""
    access: PacsAccess

    def __call__(self, tenant: str, payload: Mapping[str, Any]) -> bool:
        """Raise a leaf of :class:`~cds.errors.UpstreamError`; false where the PACS holds nothing of it."""
        prescreen = self.prescreens(tenant, payload["prescreen"])
        if prescreen is None or prescreen.study is None:
            raise Missing("the prescreen is not kept any more")
        registration = self.registrations.of_tenant(tenant, prescreen.fhir_server)
        reading = self.access.opener(registration, prescreen.fhir_server)(prescreen.study.root)
        stored = list(_stored(reading, prescreen, prescreen.study))
        if not stored:
            return False
        # Whose study it is, what we stored there says: the film, which is large, need not be fetched.
        study = prescreen.study.study_uid
        source = Source.read(reading.instance(study, stored[0].series_uid, stored[0].instance_uid))
        withdrawn = datetime.fromisoformat(payload["withdrawn"])
        note = rejection_note(prescreen, source, stored, payload["reason"], withdrawn)
        self.access.to_store(registration, prescreen).store(study, [note])
        return True


def _stored(pacs: DICOMweb, prescreen: Prescreen, study: StudySeen) -> Iterator[Stored]:
    """What the PACS holds of ours; of whatever else it names, nothing."""
    ours = instances(prescreen)
    for series in SERIES:
        with suppress(Missing):
            found = Stored.of(pacs.instances(study.study_uid, derived_uid(prescreen, series)))
            yield from (one for one in found if one.instance_uid in ours)
