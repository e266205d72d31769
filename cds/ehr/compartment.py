"""One patient's compartment (FHIR R4, compartmentdefinition-patient.html): nothing of another comes out."""

from __future__ import annotations

from dataclasses import dataclass

from cds.ehr.datatypes import Resource, reference
from cds.ehr.fhir_client import FhirClient, Params
from cds.errors import BadAnswer, NotAllowed


@dataclass(frozen=True, slots=True)
class Found:
    """The matches of a search, and what came with them."""

    matches: list[Resource]
    included: list[Resource]


@dataclass(frozen=True, slots=True)
class PatientCompartment:
    """What the EHR holds about ``Patient/{patient_id}``."""

    client: FhirClient
    patient_id: str

    def patient(self) -> Resource:
        """The Patient itself."""
        return self.client.read("Patient", self.patient_id)

    def search(self, type_: str, params: Params, includes: list[str], limit: int) -> Found:
        """The patient's resources of a type, with what ``includes`` bring where the server knows ``_include``."""
        ours: Params = {"patient": self.patient_id, **params}
        try:
            resources = self.client.search(type_, {**ours, "_include": includes} if includes else ours, limit)
        except BadAnswer as answer:
            if answer.status != 400 or not includes:
                raise
            resources = self.client.search(type_, ours, limit)
        return self.found(resources, type_)

    def found(self, resources: list[Resource], type_: str) -> Found:
        """The patient's own among ``resources`` of that type, and those of other types."""
        matches = [r for r in resources if r.get("resourceType") == type_ and self._holds(r)]
        return Found(matches, [r for r in resources if r.get("resourceType") != type_])

    def _holds(self, resource: Resource) -> bool:
        """Whether its subject is our patient, or is not said: what is another's must never be looked at."""
        subject = reference(resource, "subject") or reference(resource, "patient")
        try:
            return not subject or self.client.resolve(subject) == ("Patient", self.patient_id)
        except NotAllowed:
            return False
