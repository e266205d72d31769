"""Who has come in: whose token it is, what it allows, and for whose records."""

from __future__ import annotations

from dataclasses import dataclass

from cds.errors import Forbidden
from cds.fhir.scopes import Interaction, Scope, contexts
from cds.registration import Registration
from cds.store.search.parameters import OF_PATIENTS
from cds.store.search.terms import patient_term


@dataclass(frozen=True, slots=True)
class Access:
    """A verified token."""

    registration: Registration
    issuer: str
    subject: str
    client_id: str
    scopes: tuple[Scope, ...]
    patient: str | None = None
    """The id of the patient in context, whose compartment ``patient/`` scopes open."""
    fhir_user: str = ""
    token_id: str = ""
    sole_server: bool = True
    """Whether the tenant has one EHR: only then does an AuditEvent's patient say which person it is."""

    @property
    def tenant(self) -> str:
        return self.registration.tenant

    @property
    def owner(self) -> str:
        """Whose exports and pages these are: another token of the same party may go on with them."""
        return f"{self.issuer} {self.client_id} {self.subject} {self.patient or ''}"

    @property
    def by_person(self) -> bool:
        """Whether somebody is signed in, or a system asks for itself."""
        return self.subject != self.client_id

    def compartments(self, type: str, interaction: Interaction) -> tuple[tuple[int, ...], ...]:
        """The compartments within which it is allowed, none where it is everywhere.

        Raises :class:`Forbidden` where it is not allowed at all.
        """
        allowed = contexts(self.scopes, type, interaction)
        if "system" in allowed or ("user" in allowed and self._is_staff):
            return ()
        if "patient" not in allowed or not self.patient:
            raise Forbidden(f"the token's scopes do not let {interaction} {type}")
        return (self.known_as(type, f"Patient/{self.patient}"),) if type in OF_PATIENTS else ()

    def everything_of(self, type: str) -> bool:
        """Whether all resources of the type may be had, as an export needs."""
        return "system" in contexts(self.scopes, type, "read") & contexts(self.scopes, type, "search")

    def known_as(self, type: str, patient: str) -> tuple[int, ...]:
        """The compartment terms of ``Patient/{id}`` of this EHR."""
        if type == "AuditEvent":
            if not self.sole_server:
                raise Forbidden("where several EHRs share a tenant, AuditEvents are not told apart by patient")
            return (patient_term(patient),)
        return tuple(patient_term(f"{server}/{patient}") for server in self.registration.fhir_servers)

    @property
    def _is_staff(self) -> bool:
        """``user/`` scopes are for what the user may see: of patients and relatives an EHR knows that, not we."""
        return self.fhir_user.split("/")[-2:][0] in ("Practitioner", "PractitionerRole")
