"""A hospital for benchmarks: the service as it is deployed, a sandbox EHR and PACS, and an EHR's calls.

Processes, databases and settings are those of ``cds demo``; ports are free ones, and the data lie in a directory
that is thrown away.
"""

from __future__ import annotations

import copy
import json
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import orjson
from joserfc import jwt

from bench.load import Request
from cds.databases import databases, opened, upgrade
from cds.hooks.discovery import SERVICES
from cds.processes import Process, Processes
from cds.reporting.record import Record
from cds.sandbox.app import create_app
from cds.sandbox.ehr import prefetch
from cds.sandbox.ehr.ordering import READ_SCOPES, order_context
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from cds.sandbox.patients import Films, SamplePatient, sample_patients
from cds.sandbox.patients.loader import load
from cds.serving import answers, environment, logs, python, start_web, start_worker, wait_for_web
from cds.settings import Settings
from cds.store import outbox
from cds.store.database import Database

SERVICES_OF = {service.hook: service.id for service in SERVICES.values()}
NOWHERE = "pacs-that-never-answers"
TENANT = "sandbox"
LASTING_S = 900
"""Longer than a benchmark takes: its calls are signed before the clock runs."""

Json = dict[str, Any]


@dataclass(slots=True)
class Hospital:
    """What runs, and how to call it."""

    settings: Settings
    sandbox: Sandbox
    patients: list[SamplePatient]
    processes: Processes
    web: Process
    database: Database
    nowhere: str
    """The root of a PACS that takes calls and never answers."""
    newcomers: int = 0

    @property
    def service_url(self) -> str:
        return self.settings.base_url

    def call(self, body: Mapping[str, Any]) -> Request:
        """The hook call ``body`` under a ``hookInstance`` of its own, with a JWT that is used once."""
        path = f"/cds-services/{SERVICES_OF[body['hook']]}"
        key, now = self.sandbox.keys.cds_client, int(time.time())
        claims = {
            "iss": self.sandbox.fhir_base,
            "aud": self.service_url + path,
            "iat": now,
            "exp": now + LASTING_S,
            "jti": str(uuid.uuid4()),
        }
        signed = jwt.encode({"alg": "ES384", "kid": key.kid}, claims, key, algorithms=["ES384"])
        headers = {"Authorization": f"Bearer {signed}", "Content-Type": "application/json"}
        return Request(path, headers, orjson.dumps({**body, "hookInstance": str(uuid.uuid4())}))

    def order_signed(self, patient: SamplePatient) -> Json:
        """The call for the patient's draft order, with everything prefetched that the service asks for."""
        user = patient.order["requester"]["reference"]
        context = order_context(patient.id, [patient.order], user=user)
        token = self.sandbox.tokens.issue(
            subject=user.partition("/")[2],
            client_id="sightline",
            scopes=READ_SCOPES,
            audience=self.sandbox.fhir_base,
            lifetime_s=LASTING_S,
            patient=patient.id,
        )
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
            base = f"{self.sandbox.fhir_base}/"
            templates = SERVICES[SERVICES_OF["order-sign"]].as_json()["prefetch"]
            filled = prefetch.fill(templates, context, lambda url: http.get(base + url).raise_for_status().json())
        return {
            "hook": "order-sign",
            "fhirServer": self.sandbox.fhir_base,
            "fhirAuthorization": {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": LASTING_S,
                "scope": " ".join(READ_SCOPES),
                "subject": "sightline",
                "patient": patient.id,
            },
            "context": context,
            "prefetch": filled,
        }

    def newcomer(self, like: SamplePatient) -> SamplePatient:
        """A patient as ``like``, in the EHR under an id of its own: nothing is known of it."""
        self.newcomers += 1
        patient = like.renamed(f"{like.id}-{self.newcomers}")
        self.sandbox.records.transaction(patient.bundle)
        return patient

    def chart_opened(self, ordered: Json) -> Json:
        """The call that came before: the chart of the patient of an order was opened."""
        context = {key: ordered["context"][key] for key in ("userId", "patientId")}
        return ordered | {"hook": "patient-view", "context": context}

    def films_nowhere(self, ordered: Json) -> Json:
        """The same call, but the films are said to be at the PACS that never answers."""
        self.sandbox.records.update(
            {
                "resourceType": "Endpoint",
                "id": NOWHERE,
                "status": "active",
                "connectionType": {
                    "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
                    "code": "dicom-wado-rs",
                },
                "payloadType": [{"text": "DICOM"}],
                "address": self.nowhere,
            }
        )
        moved = copy.deepcopy(ordered)
        for entry in moved["prefetch"]["studies"].get("entry", []):
            entry["resource"]["endpoint"] = [{"reference": f"Endpoint/{NOWHERE}"}]
        return moved

    def wait_until_known(self, patients: Iterable[SamplePatient], within_s: float) -> None:
        """Until of every patient a whole prescreen is recorded: a late part is finished after its call."""
        record, due = Record(self.database), time.monotonic() + within_s
        for patient in patients:
            while record.latest(TENANT, self.sandbox.fhir_base, f"Patient/{patient.id}") is None:
                assert time.monotonic() < due, "the charts that were opened were not looked at in time"
                time.sleep(0.1)

    def wait_until_delivered(self, within_s: float = 10.0) -> None:
        """Until the EHR has every report, so that the worker's part is not measured with what comes next."""
        due = time.monotonic() + within_s
        while time.monotonic() < due:
            with self.database.transaction(TENANT) as connection:
                if not outbox.undelivered(connection, TENANT):
                    return
            time.sleep(0.1)


@contextmanager
def hospital(home: Path, web_workers: int = Settings().web_workers) -> Iterator[Hospital]:
    """Everything running, with data under ``home``; everything ended when it is left."""
    port, sandbox_port = free_ports(2)
    with ExitStack() as running:
        # A benchmark calls as fast as it can, which is what the rate limit is there to stop.
        plain = Settings(
            data_dir=home.resolve(),
            port=port,
            sandbox_port=sandbox_port,
            web_workers=web_workers,
            hook_rate_per_minute=0,
        )
        settings = running.enter_context(databases(plain))
        base_url = f"http://{settings.host}:{sandbox_port}"
        app = create_app(home / "sandbox", base_url, service_url=settings.base_url)
        parts: Sandbox = app.extensions["sandbox"]
        registrations = home / "registrations.json"
        entry = registration(parts)
        nowhere = running.enter_context(silent_server())
        # What is stored in the sandbox's PACS keeps it, which is one process, from answering what is measured.
        entry["pacs"][0].pop("results", None)
        entry["pacs"].append({"root": nowhere, "auth": "none"})
        registrations.write_text(json.dumps([entry]))
        settings = replace(settings, registrations_file=registrations)
        upgrade(settings)
        database = running.enter_context(opened(settings))
        processes = running.enter_context(Processes(logs(settings)))
        web = start_web(processes, settings)
        sandbox = processes.start("sandbox", python("-m", "cds.sandbox"), environment(settings))
        start_worker(processes, settings)
        patients = sample_patients(parts.pacs_root, date.today(), Films(parts.home / "films"))
        load(patients, parts.records, parts.pacs, parts.archive)
        processes.wait(sandbox, lambda: answers(f"{base_url}/fhir/metadata"), within_s=60)
        wait_for_web(processes, web, settings)
        yield Hospital(settings, parts, patients, processes, web, database, nowhere)


@contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/dicom-web"


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, held together so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
