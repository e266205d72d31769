"""The audit record repository of others (IHE ITI-20, "Send Audit Bundle Request Message", ATX: FHIR Feed Option).

AuditEvents go there as a FHIR batch, over TLS, to the address of their tenant or of the settings. Each bears its
own id as a tag and asks to be created only where that tag is not held yet (FHIR R4, "Conditional create"): what is
sent twice is taken once, by a repository that knows conditional create, and is known again by the others.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from cds import tls
from cds.ehr.datatypes import element, elements, string
from cds.ehr.exchange import check, exchange, read_object
from cds.errors import BadAnswer, ConfigurationError
from cds.findings import CANONICAL
from cds.registration import Registrations
from cds.settings import Settings

EVENT_IDENTIFIER = f"{CANONICAL}/identifier/audit-event"
FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class AuditRepository:
    """Takes AuditEvents. ``token`` is a bearer token, or empty; ``timeout_s`` bounds one request."""

    http: httpx.Client
    url: str
    token: str = field(default="", repr=False)
    timeout_s: float = 30.0

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """How many of ``events``, from the first on, the repository took.

        Raises :class:`~cds.errors.UpstreamError` where it took none.
        """
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON, **authorization}
        request = self.http.build_request("POST", self.url, content=_batch(events), headers=headers)
        answer = check(exchange(self.http, request, timeout_s=self.timeout_s), "an audit batch")
        statuses = [string(element(e, "response"), "status") for e in elements(read_object(answer), "entry")]
        if len(statuses) != len(events):
            raise BadAnswer("an audit batch was not answered entry by entry")
        taken = next((place for place, status in enumerate(statuses) if status[:1] != "2"), len(statuses))
        if not taken:
            raise BadAnswer(f"the next event was answered {statuses[0][:3]}")
        return taken


@dataclass(frozen=True, slots=True)
class AuditRepositories:
    """Where a tenant's events go: its own repository, else the operator's, if there is one."""

    operators: AuditRepository | None
    own: Mapping[str, AuditRepository]

    def __call__(self, tenant: str) -> AuditRepository | None:
        return self.own.get(tenant, self.operators)


@contextmanager
def opened(settings: Settings, registrations: Registrations) -> Iterator[AuditRepositories]:
    """Those of settings and registrations; raises :class:`ConfigurationError` where they cannot be meant."""
    url = settings.audit_repository_url.rstrip("/")
    if url and not url.startswith("https://"):
        raise ConfigurationError("CDS_AUDIT_REPOSITORY_URL must be an https URL")
    with httpx.Client(verify=_tls(settings), trust_env=False) as http:
        operators = AuditRepository(http, url, settings.audit_repository_token) if url else None
        own = registrations.audit_repositories.items()
        yield AuditRepositories(
            operators, {tenant: AuditRepository(http, one.url, one.token()) for tenant, one in own}
        )


def _tls(settings: Settings) -> ssl.SSLContext:
    """Whom we trust, and who we are where the repository asks for a certificate of ours."""
    named = "CDS_AUDIT_REPOSITORY_CA or CDS_AUDIT_REPOSITORY_CERTIFICATE"
    return tls.context(settings.audit_repository_ca, settings.audit_repository_certificate, named)


def _batch(events: Sequence[dict[str, Any]]) -> bytes:
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [_entry(event) for event in events]}
    # In ASCII, as in the chain: an event may quote a caller's lone surrogates, which are no UTF-8.
    return json.dumps(bundle).encode()


def _entry(event: dict[str, Any]) -> dict[str, Any]:
    """The repository gives its own id: ours stays with the event as a tag."""
    id, meta = event["id"], event.get("meta", {})
    tagged = {**meta, "tag": [*meta.get("tag", ()), {"system": EVENT_IDENTIFIER, "code": id}]}
    resource = {name: value for name, value in event.items() if name != "id"} | {"meta": tagged}
    request = {"method": "POST", "url": "AuditEvent", "ifNoneExist": f"_tag={EVENT_IDENTIFIER}%7C{id}"}
    return {"fullUrl": f"urn:uuid:{id}", "resource": resource, "request": request}
