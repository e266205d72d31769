"""What a sample patient is: everything the sandbox's EHR and PACS hold of one invented person."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

Expectation = Literal["high", "low"]
Resource = dict[str, Any]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:sightline:sandbox:patients")


@dataclass(frozen=True, slots=True)
class SamplePatient:
    """One invented patient, ready to be loaded."""

    id: str
    """Of the ``Patient`` resource."""
    name: str
    story: str
    """What this patient shows, in a line."""
    bundle: Resource
    """A FHIR R4 transaction of PUT requests with stable ids: loading it twice changes nothing."""
    order: Resource
    """A draft ServiceRequest, as the EHR would send it in ``order-sign``; in the bundle too."""
    instances: tuple[bytes, ...] = ()
    """DICOM Part 10 files."""
    study_uid: str | None = None
    expected: Mapping[str, Expectation] = field(default_factory=dict)
    """What a model should say of the film, by finding key."""
    fault: int | None = None
    """The HTTP status with which the PACS answers for this patient's study."""

    def renamed(self, id: str) -> Self:
        """The same case as another patient, whose resources have ids of their own; the film is the same."""
        ours = re.compile(rf'(?<=["/]){re.escape(self.id)}(?=["/-])')

        def changed(resource: Resource) -> Resource:
            again: Resource = json.loads(ours.sub(id, json.dumps(resource)))
            return again

        return replace(self, id=id, bundle=changed(self.bundle), order=changed(self.order))


def uid(*parts: object) -> str:
    """A DICOM UID under 2.25 (PS3.5 B.2), the same for the same parts."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}"


def transaction(resources: list[Resource]) -> Resource:
    """A transaction Bundle that puts each resource at its own id."""
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
