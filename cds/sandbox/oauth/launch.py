"""SMART App Launch 2.2 §3: what the EHR knows at a launch, and the opaque ``launch`` handle that stands for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cds.sandbox.clients import Client


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """Who is at work on whom; bare ids, save ``user``, which is ``Practitioner/{id}``."""

    user: str
    patient: str = ""
    encounter: str = ""
    app_context: str = ""
    """From a CDS Hooks card's link, handed to the app in the token response."""
    intent: str = ""
    need_patient_banner: bool = True
    """False where the app opens inside our own page, which shows the patient already."""
    references: tuple[str, ...] = ()
    """Further resources in context: ``ImagingStudy/{id}``."""

    def as_token_parameters(self) -> dict[str, Any]:
        """The launch context parameters of a token response; what is empty is left out."""
        held = {
            "patient": self.patient,
            "encounter": self.encounter,
            "appContext": self.app_context,
            "intent": self.intent,
            "fhirContext": [{"reference": reference} for reference in self.references],
        }
        known = {name: value for name, value in held.items() if value}
        # Of no patient there is none to show; said all the same, so that an app need not guess.
        return {**known, "need_patient_banner": bool(self.patient and self.need_patient_banner)}


@dataclass(frozen=True, slots=True)
class Launch:
    """A launch that our page has started, for one client alone."""

    client_id: str
    context: LaunchContext


def launch_url(client: Client, issuer: str, handle: str) -> str:
    """Where the browser goes to start the app: ``{launch}?iss=…&launch=…``."""
    return f"{client.launch_url}?{urlencode({'iss': issuer, 'launch': handle})}"
