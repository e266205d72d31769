"""AuditEvents (FHIR R4) after the patterns of IHE BALP, "Basic Audit Log Patterns" 1.1.

Identifiers and references only: no names, no results, no token. A read names the client the destination and the
server the source, for that is the way the data flows; every other pattern is the other way round.

BALP has no pattern for a CDS Hooks call or for what a model did: :func:`hook_call` and :func:`inference` are ours,
shaped as RESTful operations.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from cds.findings import ModelVersion

Event = dict[str, Any]

CANONICAL = "https://sightline.example/fhir"
"""The base of our own profiles, identifiers and code systems."""
OURS = f"{CANONICAL}/StructureDefinition/"
PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
RESTFUL = "http://hl7.org/fhir/restful-interaction"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
BALP_AGENT = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes"
URI = "urn:ietf:rfc:3986"

REASON_CHARACTERS = 500
SECRET_PARAMETERS = frozenset(
    {"code", "code_verifier", "client_assertion", "client_secret", "refresh_token", "password"}
)


class Outcome(StrEnum):
    """http://hl7.org/fhir/R4/valueset-audit-event-outcome.html"""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"
    MAJOR_FAILURE = "12"


@dataclass(frozen=True, slots=True)
class Party:
    """A system that took part."""

    identifier: str
    """A client id, or the base URL of a server."""
    address: str
    """A URL, or the IP address or name of a machine."""

    @property
    def who(self) -> Event:
        system = {"system": URI} if "://" in self.identifier else {}
        return {"identifier": {**system, "value": self.identifier}}

    @property
    def network(self) -> Event:
        return {"address": self.address, "type": "5" if "://" in self.address else "2"}


@dataclass(frozen=True, slots=True)
class User:
    """The person on whose behalf it was done, as the token says (``iss``, ``sub``)."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Who asked whom, who recorded it, and on whose behalf."""

    client: Party
    server: Party
    observer: Party
    user: User | None = None
    token_id: str | None = None
    """The token's ``jti``."""
    transaction: str | None = None
    """What correlates the records of one transaction: X-Request-Id, or a hook's ``hookInstance``."""


def patient_read(exchange: Exchange, patient: str, resource: str, interaction: str = "read") -> Event:
    """``resource`` of ``patient`` was read (both are references, such as ``Patient/1``)."""
    return _rest(
        exchange,
        profile=PROFILES + "IHE.BasicAudit.PatientRead",
        action="R",
        interaction=interaction,
        agents=(_destination(exchange.client), _source(exchange.server), *_user(exchange, "IRCP")),
        entities=(_data(resource, _role_of(resource)), _patient(patient)),
    )


def read(exchange: Exchange, resource: str, interaction: str = "read") -> Event:
    """``resource``, which is about no patient, was read; ``interaction`` is ``read`` or ``vread``."""
    return _rest(
        exchange,
        profile=PROFILES + "IHE.BasicAudit.Read",
        action="R",
        interaction=interaction,
        agents=(_destination(exchange.client), _source(exchange.server), *_user(exchange, "IRCP")),
        entities=(_data(resource, _role_of(resource)),),
    )


def query(exchange: Exchange, request: str) -> Event:
    """A search with no patient in it."""
    return _rest(
        exchange,
        profile=PROFILES + "IHE.BasicAudit.Query",
        action="E",
        interaction="search-type",
        agents=(_source(exchange.client), _destination(exchange.server), *_user(exchange, "IRCP")),
        entities=(_query(request),),
    )


def patient_query(exchange: Exchange, patient: str, request: str) -> Event:
    """A search with ``patient`` in it; ``request`` is its raw text, such as ``GET Observation?patient=1``."""
    return _rest(
        exchange,
        profile=PROFILES + "IHE.BasicAudit.PatientQuery",
        action="E",
        interaction="search-type",
        agents=(_source(exchange.client), _destination(exchange.server), *_user(exchange, "IRCP")),
        entities=(_query(request), _patient(patient)),
    )


def patient_create(exchange: Exchange, patient: str, resource: str) -> Event:
    """``resource`` was created for ``patient``; the user, if any, is its author."""
    return _rest(
        exchange,
        profile=PROFILES + "IHE.BasicAudit.PatientCreate",
        action="C",
        interaction="create",
        agents=(_source(exchange.client), _destination(exchange.server), *_user(exchange, "AUT")),
        entities=(_data(resource, _role_of(resource)), _patient(patient)),
    )


def patient_update(exchange: Exchange, patient: str, resource: str) -> Event:
    """``resource`` of ``patient`` was updated; the user, if any, is its author."""
    return _rest(
        exchange,
        profile=PROFILES + "IHE.BasicAudit.PatientUpdate",
        action="U",
        interaction="update",
        agents=(_source(exchange.client), _destination(exchange.server), *_user(exchange, "AUT")),
        entities=(_data(resource, _role_of(resource)), _patient(patient)),
    )


def signed_off(exchange: Exchange, patient: str, report: str) -> Event:
    """The user read ``report`` of ``patient`` and signed it: an update that is an attestation (ISO 21089)."""
    event = patient_update(exchange, patient, report)
    attested = _coding("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "attest", "Attest")
    # BALP's profile of an update knows no other subtype.
    return {name: value for name, value in event.items() if name != "meta"} | {
        "subtype": [*event["subtype"], attested]
    }


def judged(exchange: Exchange, patient: str, report: str) -> Event:
    """The user said what they think of ``report`` of ``patient``, and did not sign it."""
    event = _operation(exchange, "judgement", "judgement", (_patient(patient), _data(report, "3")))
    # Of no profile: BALP has none for it, and it is said by a person and not by a model.
    return {name: value for name, value in event.items() if name != "meta"}


def token_obtained(exchange: Exchange, parameters: Mapping[str, str]) -> Event:
    """ITI-71: the client got an access token. Of the request's parameters the secret ones are left out."""
    request = urlencode({name: value for name, value in parameters.items() if name not in SECRET_PARAMETERS})
    service = _coding(BALP_AGENT, "AuthzOauthService", "OAuth authorization service")
    return _event(
        exchange,
        profile=PROFILES + "IHE.IUA.71",
        type=_coding(DCM, "110114", "User Authentication"),
        subtype=_coding("urn:ihe:event-type-code", "ITI-71", "Get Access Token"),
        action="E",
        agents=(
            _agent(_coding(DCM, "110150", "Application"), exchange.client),
            _agent(service, exchange.server),
            *_user(exchange, "IRCP"),
        ),
        entities=(_query(request),),
    )


def logged_out(exchange: Exchange) -> Event:
    """A user ended a session with us (DICOM PS3.15, A.5.3.11)."""
    return _event(
        exchange,
        profile=None,
        type=_coding(DCM, "110114", "User Authentication"),
        subtype=_coding(DCM, "110123", "Logout"),
        action="E",
        agents=(_source(exchange.client), _destination(exchange.server), *_user(exchange, "IRCP")),
        entities=({"what": {"identifier": {"value": "SMART app"}}, **_kind("2", "20")},),
    )


def hook_call(exchange: Exchange, service: str, patient: str | None = None) -> Event:
    """An EHR called a CDS service of ours."""
    return _operation(exchange, "hook-call", service, () if patient is None else (_patient(patient),))


def assessment(exchange: Exchange, service: str, models: Iterable[ModelVersion]) -> Event:
    """Models looked at what a caller told us of a patient without saying who it is."""
    event = hook_call(exchange, service)
    event["agent"] += [_model(model) for model in models]
    return event


def inference(
    exchange: Exchange,
    patient: str,
    *,
    inputs: Iterable[str],
    models: Iterable[ModelVersion],
) -> Event:
    """Models looked at ``inputs`` of ``patient`` (references all)."""
    entities = [_patient(patient)]
    entities += [_data(reference, "4") for reference in inputs]
    event = _operation(exchange, "inference", "inference", entities)
    event["agent"] += [_model(model) for model in models]
    return event


def bulk_export(exchange: Exchange, step: str, request: str) -> Event:
    """FHIR Bulk Data: ``request`` was asked for, or a file of it fetched; ``step`` says which."""
    return _operation(exchange, "bulk-export", f"$export {step}", (_query(request),))


def model_change(exchange: Exchange, model: ModelVersion, device: str) -> Event:
    """A model version came into use; ``device`` is the reference to its Device."""
    event = _operation(exchange, "model-change", "model-change", (_data(device, "4"),))
    event["agent"].append(_model(model))
    return event


def model_activated(exchange: Exchange, model: ModelVersion) -> Event:
    """From now on the service uses ``model`` for its kind; the user is who chose it."""
    return _event(
        exchange,
        profile=None,
        type=_coding(DCM, "110100", "Application Activity"),
        subtype=_coding("https://sightline.example/audit", "model-activated", f"{model.kind} model activated"),
        action="U",
        agents=(
            _agent(_coding(DCM, "110150", "Application"), exchange.server),
            *_user(exchange, "AUT"),
            _model(model),
        ),
        entities=({"what": {"identifier": {"value": f"sha256:{model.digest}"}}, **_kind("2", "4")},),
    )


def model_withdrawn(exchange: Exchange, name: str, digest: str, device: str) -> Event:
    """Nothing that the model version said stands any more; the user is who decided it.

    ``device`` is the reference to its Device, ``name`` its name and version.
    """
    event = _operation(exchange, "model-change", "model-withdrawn", (_data(device, "4"),))
    event["agent"].append(_software(name, digest))
    return event


def refusal(exchange: Exchange, service: str, reason: str, outcome: Outcome = Outcome.MINOR_FAILURE) -> Event:
    """A call that we refused, and why: one plain sentence without patient data or tokens."""
    return failed(hook_call(exchange, service), reason, outcome, code="security")


def maintenance(exchange: Exchange, name: str, detail: Mapping[str, object], patient: str | None = None) -> Event:
    """An operator had us do ``name``; ``detail`` says how much, without patient data."""
    event = _operation(exchange, "maintenance", name, () if patient is None else (_patient(patient),))
    said = [{"type": key, "valueString": str(value)} for key, value in detail.items()]
    return {**event, "entity": [{**event["entity"][0], "detail": said}, *event["entity"][1:]]}


def failed(event: Event, reason: str, outcome: Outcome, *, code: str = "processing") -> Event:
    """The same event with another outcome than success, which is all that BALP's profiles describe.

    ``code`` is the OperationOutcome's issue type.
    """
    reason = reason[:REASON_CHARACTERS]
    issue = {"severity": "error", "code": code, "diagnostics": reason}
    why = {
        "what": {"reference": "#why"},
        "type": _coding("http://hl7.org/fhir/resource-types", "OperationOutcome"),
    }
    return {name: value for name, value in event.items() if name != "meta"} | {
        "contained": [{"resourceType": "OperationOutcome", "id": "why", "issue": [issue]}],
        "outcome": outcome.value,
        "outcomeDesc": reason,
        "entity": [*event.get("entity", ()), why],
    }


def _operation(exchange: Exchange, profile: str, name: str, entities: Iterable[Event]) -> Event:
    """An event of ours that BALP has no pattern for."""
    job = {"what": {"identifier": {"value": name}}, **_kind("2", "20")}
    return _rest(
        exchange,
        profile=OURS + profile,
        action="E",
        interaction="operation",
        agents=(_source(exchange.client), _destination(exchange.server), *_user(exchange, "IRCP")),
        entities=(job, *entities),
    )


def _rest(
    exchange: Exchange,
    *,
    profile: str,
    action: str,
    interaction: str,
    agents: Iterable[Event],
    entities: Iterable[Event],
) -> Event:
    return _event(
        exchange,
        profile=profile,
        type=_coding(EVENT_TYPE, "rest", "RESTful Operation"),
        subtype=_coding(RESTFUL, interaction, interaction),
        action=action,
        agents=agents,
        entities=(*entities, *_transaction(exchange)),
    )


def _event(
    exchange: Exchange,
    *,
    profile: str | None,
    type: Event,
    subtype: Event,
    action: str,
    agents: Iterable[Event],
    entities: Iterable[Event],
) -> Event:
    return {
        "resourceType": "AuditEvent",
        "id": str(uuid4()),
        **({"meta": {"profile": [profile]}} if profile else {}),
        "type": type,
        "subtype": [subtype],
        "action": action,
        "recorded": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": Outcome.SUCCESS.value,
        "agent": list(agents),
        "source": {
            "observer": exchange.observer.who,
            "type": [_coding(SOURCE_TYPE, "4", "Application Server")],
        },
        "entity": list(entities),
    }


def _coding(system: str, code: str, display: str | None = None) -> Event:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def _agent(type: Event, party: Party) -> Event:
    return {"type": {"coding": [type]}, "who": party.who, "requestor": False, "network": party.network}


def _source(party: Party) -> Event:
    return _agent(_coding(DCM, "110153", "Source Role ID"), party)


def _destination(party: Party) -> Event:
    return _agent(_coding(DCM, "110152", "Destination Role ID"), party)


def _user(exchange: Exchange, participation: str) -> tuple[Event, ...]:
    """The person, if there is one; IUA: ``iss`` and ``sub`` identify, ``jti`` is the policy."""
    if exchange.user is None:
        return ()
    identifier = {"system": exchange.user.issuer, "value": exchange.user.subject}
    policy = {"policy": [f"urn:ietf:params:oauth:jti:{exchange.token_id}"]} if exchange.token_id else {}
    type = {"coding": [_coding(PARTICIPATION, participation)]}
    return ({"type": type, "who": {"identifier": identifier}, "requestor": True, **policy},)


def _model(model: ModelVersion) -> Event:
    return _software(f"{model.name} {model.version}", model.digest)


def _software(name: str, digest: str) -> Event:
    who = {"type": "Device", "identifier": {"value": f"sha256:{digest}"}}
    type = {"coding": [_coding(DCM, "110150", "Application")]}
    return {"type": type, "who": who, "name": name, "requestor": False}


def _kind(type: str, role: str) -> Event:
    types = {"1": "Person", "2": "System Object"}
    roles = {"1": "Patient", "3": "Report", "4": "Domain Resource", "20": "Job", "24": "Query"}
    return {"type": _coding(ENTITY_TYPE, type, types[type]), "role": _coding(OBJECT_ROLE, role, roles[role])}


def _patient(reference: str) -> Event:
    return {"what": {"reference": reference}, **_kind("1", "1")}


def _data(reference: str, role: str) -> Event:
    return {"what": {"reference": reference}, **_kind("2", role)}


def _role_of(reference: str) -> str:
    return "3" if reference.split("/")[-2:][0] == "DiagnosticReport" else "4"


def _query(request: str) -> Event:
    return {**_kind("2", "24"), "query": base64.b64encode(request.encode(errors="replace")).decode()}


def _transaction(exchange: Exchange) -> tuple[Event, ...]:
    if exchange.transaction is None:
        return ()
    type = _coding(BALP_ENTITY, "XrequestId")
    return ({"what": {"identifier": {"value": exchange.transaction}}, "type": type},)
