"""What a CDS Hooks call may bring along for a chart (CDS Hooks 2.0, "Prefetch")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds.ehr.datatypes import Resource

PAGE = 20
"""How many studies, and how many notes, are asked for."""

TEMPLATES: Mapping[str, str] = {
    "patient": "Patient/{{context.patientId}}",
    "studies": f"ImagingStudy?patient={{{{context.patientId}}}}&_sort=-started&_count={PAGE}",
    "documents": (
        f"DocumentReference?patient={{{{context.patientId}}}}&category=clinical-note&_sort=-date&_count={PAGE}"
    ),
}
"""The prefetch templates, by the keys under which a :class:`~cds.ehr.chart.Chart` takes their values."""


class Prefetched:
    """The ``prefetch`` of a hook call: by key a resource, a searchset Bundle, or ``None`` for known to be empty.

    A key that is absent or holds anything else, an OperationOutcome above all, was not supplied.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = values or {}

    def resource(self, key: str, type_: str, id_: str) -> Resource | None:
        """The resource, if that very one was supplied."""
        value = self._values.get(key)
        wanted = isinstance(value, dict) and (value.get("resourceType"), value.get("id")) == (type_, id_)
        return value if wanted else None

    def searchset(self, key: str, type_: str) -> Resource | None:
        """What was supplied for a search, as a searchset Bundle, maybe with a ``next`` link."""
        value = self._values.get(key)
        if key in self._values and value is None:
            return {"resourceType": "Bundle", "type": "searchset"}
        if not isinstance(value, dict):
            return None
        if value.get("resourceType") == type_:
            return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": value}]}
        return value if value.get("resourceType") == "Bundle" else None

    def is_empty(self, key: str) -> bool:
        """Whether the EHR said that there is nothing."""
        return key in self._values and self._values[key] is None
