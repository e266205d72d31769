"""What a CDS Hooks call may bring along for a chart (CDS Hooks 2.0, "Prefetch")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds.ehr.datatypes import Resource, elements, string
from cds.ehr.note_kinds import RADIOLOGY
from cds.errors import Refused

PAGE = 20
"""How many studies, and how many notes, are asked for."""

TEMPLATES: Mapping[str, str] = {
    "patient": "Patient/{{context.patientId}}",
    "studies": f"ImagingStudy?patient={{{{context.patientId}}}}&_sort=-started&_count={PAGE}",
    "documents": (
        f"DocumentReference?patient={{{{context.patientId}}}}&category=clinical-note&_sort=-date&_count={PAGE}"
    ),
    "reports": (
        f"DiagnosticReport?patient={{{{context.patientId}}}}&category={','.join(RADIOLOGY)}"
        f"&_sort=-date&_count={PAGE}"
    ),
    "compositions": f"Composition?patient={{{{context.patientId}}}}&_sort=-date&_count={PAGE}",
}
"""The prefetch templates, by the keys under which a :class:`~cds.ehr.chart.Chart` takes their values."""

_FINAL = frozenset({"forbidden", "suppressed", "security", "not-found", "deleted"})
"""Issue types of a failure that the token we were lent would meet again."""


class Prefetched:
    """The ``prefetch`` of a hook call: by key a resource, a searchset Bundle, or ``None`` for known to be empty.

    A key that is absent or holds anything else was not supplied. An OperationOutcome says that the EHR failed:
    what it was denied is not asked for again, :class:`Refused`; what else went wrong may go well for us.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = values or {}

    def resource(self, key: str, type_: str, id_: str) -> Resource | None:
        """The resource, if that very one was supplied."""
        value = self._supplied(key)
        wanted = isinstance(value, dict) and (value.get("resourceType"), value.get("id")) == (type_, id_)
        return value if wanted else None

    def searchset(self, key: str, type_: str) -> Resource | None:
        """What was supplied for a search, as a searchset Bundle, maybe with a ``next`` link."""
        value = self._supplied(key)
        if key in self._values and value is None:
            return {"resourceType": "Bundle", "type": "searchset"}
        if not isinstance(value, dict):
            return None
        if value.get("resourceType") == type_:
            return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": value}]}
        return value if value.get("resourceType") == "Bundle" else None

    def is_whole(self, key: str) -> bool:
        """Whether it came along, and none of it is on a page that follows."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            return value is None
        follows = any(link.get("relation") == "next" for link in elements(value, "link"))
        return value.get("resourceType") in ("Patient", "Bundle") and not follows

    def is_empty(self, key: str) -> bool:
        """Whether the EHR said that there is nothing."""
        return key in self._values and self._values[key] is None

    def _supplied(self, key: str) -> Any:
        value = self._values.get(key)
        if isinstance(value, dict) and value.get("resourceType") == "OperationOutcome":
            codes = {string(issue, "code") for issue in elements(value, "issue")} & _FINAL
            if codes:
                raise Refused(f"the EHR could not supply it ({', '.join(sorted(codes))})")
        return value
