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

    @property
    def _ours(self) -> tuple[str, str]:
        return "Patient", self.patient_id

    def _holds(self, resource: Resource) -> bool:
        """Whether its subject is our patient, or is not said: what is another's must never be looked at.

        A subject that is named by an identifier or in words alone is said, and may be anybody.
        """
        said = [name for name in ("subject", "patient") if resource.get(name)]
        try:
            return all(self.client.resolve(reference(resource, name)) == self._ours for name in said)
        except NotAllowed:
            return False
