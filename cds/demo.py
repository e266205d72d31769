"""``cds demo``: databases, a sandbox EHR and PACS, and the service, side by side; then the main job.

An EHR signs an order for each sample patient, twice: cold, when nothing is known, and warm. What came back is
printed beside what the record holds of it. On a slow machine a part may be late for the first answer; it is
finished before the second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydicom.uid import EnhancedSRStorage, SecondaryCaptureImageStorage

from cds.audit import chain
from cds.databases import databases, opened, upgrade
from cds.errors import ConfigurationError, SightlineError
from cds.findings import Part, Prescreen
from cds.processes import Processes, free_port
from cds.reporting.record import Record
from cds.reporting.resources import report_id
from cds.reporting.words import part, percent, worth_saying
from cds.sandbox.app import create_app
from cds.sandbox.ehr import EXTENSION, Ehr
from cds.sandbox.ehr.ordering import HookExchange
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from cds.sandbox.patients import Films, SamplePatient, sample_patients
from cds.sandbox.patients.bundles import load_bundle
from cds.sandbox.patients.loader import load
from cds.sandbox.patients.wrap import wrap_images
from cds.serving import answers, environment, logs, python, start_web, start_worker, wait_for_web
from cds.settings import Settings
from cds.store import outbox, scores
from cds.store.database import Database

TENANT = "sandbox"
FINISHED_WITHIN_S = 60
DELIVERED_WITHIN_S = 90
"""With what the engine shows of each finding, which the worker draws for the PACS."""
PACS_CREDENTIALS = "SIGHTLINE_SANDBOX_PACS"

Say = Callable[[str], None]


class NotDone(SightlineError):
    """The demo ran, and something that it promises did not happen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened for one patient."""

    patient: SamplePatient
    cold: HookExchange
    late: list[Part]
    """The parts that the first answer had to do without."""
    warm: HookExchange
    prescreen: Prescreen | None
    audit_events: int


class Demo:
    """One run. ``say`` prints a line."""

    def __init__(self, settings: Settings, *, images: Path | None, bundles: Sequence[Path], say: Say) -> None:
        self._settings = replace(settings, data_dir=settings.data_dir.resolve())
        self._images = images
        self._bundles = bundles
        self._say = say
        self._base_url = f"http://{settings.host}:{settings.sandbox_port}"
        self._started = time.monotonic()

    def run(self, *, once: bool, json_file: Path | None) -> None:
        """Raise :class:`~cds.errors.SightlineError` where something could not start, or did not happen."""
        self._settings.home()
        free_port(self._settings.host, self._settings.port, "CDS_PORT")
        free_port(self._settings.host, self._settings.sandbox_port, "CDS_SANDBOX_PORT")
        parts, desk = self._sandbox()
        yours = self._yours(parts)
        with ExitStack() as running:
            settings = running.enter_context(databases(self._settings))
            self._tell("PostgreSQL and Valkey are ready")
            settings = replace(settings, registrations_file=_register(parts, settings))
            upgrade(settings)
            database = running.enter_context(opened(settings))
            _take_up_again(database)
            processes = running.enter_context(Processes(logs(settings)))
            patients = self._start(processes, settings, parts, yours)
            outcomes = self._sign_all(desk, patients, database)
            self._wait_for_delivery(database)
            self._tell(_returned(parts))
            _write(json_file, outcomes)
            _check(outcomes)
            if not once:
                self._say(_where_to_click(self._base_url, settings))
                processes.watch()

    def _sandbox(self) -> tuple[Sandbox, Ehr]:
        """The sandbox's parts, for us to act as the EHR; its server is a process of its own."""
        app = create_app(
            self._settings.data_dir / "sandbox",
            self._base_url,
            pacs_url=self._settings.sandbox_pacs_url,
            service_url=self._settings.base_url,
        )
        return app.extensions["sandbox"], app.extensions[EXTENSION]

    def _yours(self, parts: Sandbox) -> list[SamplePatient]:
        """The patients of your images and of your bundles; what cannot be used is said before anything starts."""
        today = date.today()
        images = wrap_images(self._images, parts.pacs_root, today, say=self._tell) if self._images else []
        return images + [load_bundle(path, parts.pacs_root, today) for path in self._bundles]

    def _start(
        self, processes: Processes, settings: Settings, parts: Sandbox, yours: list[SamplePatient]
    ) -> list[SamplePatient]:
        """Everything at once: the models load while the patients are drawn."""
        web = start_web(processes, settings)
        sandbox = processes.start("sandbox", python("-m", "cds.sandbox"), environment(settings))
        start_worker(processes, settings)
        self._tell("service, worker, sandbox EHR and PACS are starting")
        patients = sample_patients(parts.pacs_root, date.today(), Films(parts.home / "films")) + yours
        load(patients, parts.records, parts.pacs, parts.archive)
        self._tell(f"the sandbox holds {len(patients)} patients")
        processes.wait(sandbox, lambda: answers(f"{self._base_url}/fhir/metadata"), within_s=60)
        wait_for_web(processes, web, settings)
        self._tell("the models are loaded; the EHR signs an order for each patient")
        return patients

    def _sign_all(self, desk: Ehr, patients: Sequence[SamplePatient], database: Database) -> list[Outcome]:
        outcomes = []
        for patient in patients:
            outcomes.append(_signed(desk, patient, database))
            self._say(as_text(outcomes[-1]))
        return outcomes

    def _wait_for_delivery(self, database: Database) -> None:
        due = time.monotonic() + DELIVERED_WITHIN_S
        while True:
            with database.transaction(TENANT) as connection:
                waiting = outbox.undelivered(connection, TENANT)
            if not waiting:
                self._tell("every report is in the EHR's record")
                return
            if time.monotonic() > due:
                raise NotDone(f"{waiting} reports are not in the EHR's record yet; see worker.log")
            time.sleep(0.2)

    def _tell(self, line: str) -> None:
        self._say(f"{time.monotonic() - self._started:6.1f} s  {line}")


def _returned(parts: Sandbox) -> str:
    """What the sandbox's archive was given of what was found; a real PACS in its place shows it itself."""
    if parts.pacs_root != parts.dicomweb_root:
        return f"what was found in images is in the PACS at {parts.pacs_root}"
    classes = [instance.sop_class for instance in parts.archive.find()]
    reports, captures = (classes.count(uid) for uid in (EnhancedSRStorage, SecondaryCaptureImageStorage))
    return f"the archive holds {reports} structured reports and {captures} captures of what was found"


def _take_up_again(database: Database) -> None:
    """Reports that an earlier run left on their way go on; scores are made anew, to show what that takes."""
    with database.transaction(TENANT) as connection:
        outbox.hurry(connection, TENANT)
        scores.forget(connection, TENANT)


def _register(parts: Sandbox, settings: Settings) -> Path:
    """Write the one registration that the service needs to trust the sandbox."""
    entry = registration(parts)
    if credentials := unquote(urlsplit(settings.sandbox_pacs_url).netloc.rpartition("@")[0]):
        # A password stands in no file of ours: the service's processes inherit it.
        os.environ[PACS_CREDENTIALS] = credentials
        entry["pacs"][0]["auth"] = f"basic:{PACS_CREDENTIALS}"
    path = settings.data_dir / "registrations.json"
    path.write_text(json.dumps([entry], indent=1))
    return path


def _signed(desk: Ehr, patient: SamplePatient, database: Database) -> Outcome:
    """Sign the patient's order twice: with nothing known, and again."""
    before = _audit_events(database)
    cold = _sign(desk, patient)
    warm = _sign_until_whole(desk, patient)
    prescreen = Record(database).latest(TENANT, cold.request["fhirServer"], f"Patient/{patient.id}")
    return Outcome(patient, cold, _late(cold), warm, prescreen, _audit_events(database) - before)


def _sign(desk: Ehr, patient: SamplePatient) -> HookExchange:
    return desk.service.sign_order(
        patient.id,
        [patient.order],
        user=patient.order["requester"]["reference"],
        encounter=patient.order.get("encounter", {}).get("reference", "").removeprefix("Encounter/"),
    )


def _sign_until_whole(desk: Ehr, patient: SamplePatient) -> HookExchange:
    due = time.monotonic() + FINISHED_WITHIN_S
    while _late(exchange := _sign(desk, patient)):
        if time.monotonic() > due:
            raise NotDone("what was late for an answer was not finished after it; see web.log")
        time.sleep(0.2)
    return exchange


def _late(exchange: HookExchange) -> list[Part]:
    """The parts that an answer had to do without: their steps had not ended."""
    if exchange.answer is None or exchange.problem:
        return []
    parts: dict[str, Part] = {"image": "image", "notes": "note"}
    return [part for step, part in parts.items() if step not in exchange.answer.steps]


def _audit_events(database: Database) -> int:
    with database.transaction(TENANT) as connection:
        return chain.length(connection, TENANT)


def as_text(outcome: Outcome) -> str:
    """What a person reads about one patient."""
    lines = ["", f"{outcome.patient.name}: {outcome.patient.story}"]
    lines += [f"  {card['indicator'].upper():9}{card['summary']}" for card in outcome.warm.cards]
    if problem := outcome.cold.problem or outcome.warm.problem:
        lines.append(f"  PROBLEM  {problem}")
    elif not outcome.warm.cards:
        lines.append("  no card: nothing to say")
    if outcome.prescreen:
        lines += _record_in_words(outcome.prescreen)
    late = f" ({' and '.join(outcome.late)} late, finished after it)" if outcome.late else ""
    lines.append(
        f"  cold {_ms(outcome.cold)}{late}, warm {_ms(outcome.warm)}; {outcome.audit_events} audit events"
    )
    if outcome.cold.answer and outcome.cold.answer.steps:
        steps = (f"{step} {ms:.0f}" for step, ms in outcome.cold.answer.steps.items())
        lines.append(f"  steps in ms: {', '.join(steps)}")
    return "\n".join(lines)


def _record_in_words(prescreen: Prescreen) -> list[str]:
    said = worth_saying(prescreen) or prescreen.findings[:1]
    lines = [
        f"           {f.type.display:20} image {part(f.image):>5}  note {part(f.note):>5}"
        f"  fused {percent(f.probability):>5}"
        for f in said
    ]
    lines += [f"           not seen: {missing.reason}" for missing in prescreen.missing]
    if report := report_id(prescreen):
        lines.append(f"  report DiagnosticReport/{report}, preliminary")
    return lines


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The same for a program."""
    prescreen = outcome.prescreen
    return {
        "patient": outcome.patient.id,
        "name": outcome.patient.name,
        "story": outcome.patient.story,
        "cards": outcome.warm.cards,
        "problem": outcome.cold.problem or outcome.warm.problem or None,
        "late": outcome.late,
        "scores": {
            f.key: {"image": f.image, "note": f.note, "fused": f.probability, "level": f.level}
            for f in (prescreen.findings if prescreen else ())
        },
        "missing": [missing.reason for missing in (prescreen.missing if prescreen else ())],
        "report": report_id(prescreen) if prescreen else None,
        "auditEvents": outcome.audit_events,
        "coldMs": outcome.cold.answer.ms if outcome.cold.answer else None,
        "warmMs": outcome.warm.answer.ms if outcome.warm.answer else None,
        "stepsMs": outcome.cold.answer.steps if outcome.cold.answer else {},
    }


def _ms(exchange: HookExchange) -> str:
    return f"{exchange.answer.ms:.0f} ms" if exchange.answer else "no answer"


def _write(json_file: Path | None, outcomes: Sequence[Outcome]) -> None:
    if json_file is None:
        return
    try:
        json_file.write_text(json.dumps([as_json(o) for o in outcomes], indent=1) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{json_file} cannot be written: {error.strerror}") from None


def _check(outcomes: Sequence[Outcome]) -> None:
    failed = [o.patient.name for o in outcomes if o.cold.problem or o.warm.problem]
    if failed:
        raise NotDone(f"the service gave no cards for {', '.join(failed)}")


def _where_to_click(base_url: str, settings: Settings) -> str:
    return f"""
The sandbox EHR      {base_url}/
                     choose a patient, sign an order, see the cards, open the app
The service          {settings.base_url}/cds-services             what an EHR discovers
                     {settings.base_url}/.well-known/jwks.json    the keys that we sign with
                     {settings.base_url}/readyz                   whether it is well
The audit trail      CDS_DATA_DIR={settings.data_dir} cds audit verify {TENANT}
Logs and data        {settings.data_dir}
Ctrl-C stops everything and keeps the data."""
