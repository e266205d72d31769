"""A patient's chart, as the page shows it: read from the records, never through the FHIR API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import unescape
from typing import Any

from cds.errors import Unknown
from cds.sandbox import query
from cds.sandbox.records import Records

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """A patient or practitioner in one line."""

    id: str
    name: str
    sex: str = ""
    born: str = ""
    age: int | None = None
    """In full years."""
    story: str = ""
    """What this sample patient is here for, from the resource's narrative."""
    mrn: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the chart: a study, a note, a condition or a report."""

    id: str
    date: str
    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    patient: Person
    encounter: str
    """The id of the latest encounter; empty where there is none."""
    clinician: Person
    """Who is at work: the sandbox has no log-in, so it is who sees the patient in that encounter."""
    drafts: tuple[Json, ...]
    """Orders that were begun and not signed."""
    studies: tuple[Entry, ...]
    notes: tuple[Entry, ...]
    conditions: tuple[Entry, ...]


def patients(records: Records) -> tuple[Person, ...]:
    return tuple(map(_person, _search(records, "Patient", "_count=200")))


def practitioners(records: Records) -> tuple[Person, ...]:
    return tuple(map(_person, _search(records, "Practitioner", "_count=200")))


def read(records: Records, id: str) -> Chart:
    """The chart of one patient; :class:`cds.errors.Unknown` where there is none."""
    patient = records.read("Patient", id)
    about = f"patient=Patient/{id}&_count=100"
    encounters = _search(records, "Encounter", f"{about}&_sort=-date")
    return Chart(
        patient=_person(patient),
        encounter=encounters[0]["id"] if encounters else "",
        clinician=_clinician(records, encounters),
        drafts=_search(records, "ServiceRequest", f"{about}&status=draft"),
        studies=tuple(map(_study, _search(records, "ImagingStudy", f"{about}&_sort=-started"))),
        notes=tuple(map(_note, _search(records, "DocumentReference", f"{about}&_sort=-date"))),
        conditions=tuple(map(_condition, _search(records, "Condition", about))),
    )


def _clinician(records: Records, encounters: tuple[Json, ...]) -> Person:
    """The encounter's first practitioner, else the sandbox's first."""
    participants = encounters[0].get("participant", ()) if encounters else ()
    for participant in participants:
        of_type, _, id = participant.get("individual", {}).get("reference", "").partition("/")
        if of_type == "Practitioner" and (found := records.find(of_type, id)):
            return _person(found)
    known = practitioners(records)
    if not known:
        raise Unknown("the sandbox holds no practitioner: load the sample patients first")
    return known[0]


def reports(records: Records, id: str) -> list[Json]:
    """The DiagnosticReports that have been written for a patient, the latest first, for the page to list."""
    found = _search(records, "DiagnosticReport", f"patient=Patient/{id}&_count=100&_sort=-issued")
    return list(map(_report, found))


def _search(records: Records, of_type: str, parameters: str) -> tuple[Json, ...]:
    return records.search(query.parse(of_type, parameters)).resources


def _person(resource: Json) -> Person:
    born = resource.get("birthDate", "")
    identifiers = resource.get("identifier") or [{}]
    return Person(
        id=resource["id"],
        name=_name(resource),
        sex=resource.get("gender", ""),
        born=born,
        age=_age(born),
        story=_narrative(resource),
        mrn=identifiers[0].get("value", ""),
    )


def _name(resource: Json) -> str:
    name = (resource.get("name") or [{}])[0]
    parts = (*name.get("prefix", ()), *name.get("given", ()), name.get("family", ""))
    titles = "".join(f", {title}" for title in name.get("suffix", ()))
    return name.get("text") or " ".join(filter(None, parts)) + titles or "(no name)"


def _age(born: str, today: date | None = None) -> int | None:
    try:
        birthday = date.fromisoformat(born)
    except ValueError:
        return None
    today = today or datetime.now(UTC).date()
    return today.year - birthday.year - ((today.month, today.day) < (birthday.month, birthday.day))


def _narrative(resource: Json) -> str:
    return unescape(re.sub(r"<[^>]*>", "", resource.get("text", {}).get("div", ""))).strip()


def _study(study: Json) -> Entry:
    modalities = {series.get("modality", {}).get("code", "") for series in study.get("series", ())}
    modalities |= {modality.get("code", "") for modality in study.get("modality", ())}
    count = study.get("numberOfInstances", 0)
    counted = f"{count} image{'' if count == 1 else 's'}"
    title = study.get("description") or "Imaging study"
    detail = " · ".join((*sorted(filter(None, modalities)), counted))
    return Entry(study["id"], _day(study.get("started")), title, detail)


def _note(document: Json) -> Entry:
    attachment = (document.get("content") or [{}])[0].get("attachment", {})
    title = document.get("description") or attachment.get("title") or _concept(document.get("type"))
    return Entry(
        document["id"], _day(document.get("date")), title, attachment.get("contentType", "").partition(";")[0]
    )


def _condition(condition: Json) -> Entry:
    when = condition.get("onsetDateTime") or condition.get("recordedDate")
    return Entry(condition["id"], _day(when), _concept(condition.get("code")))


def _report(report: Json) -> Json:
    labels = [label.get("code", "") for label in report.get("meta", {}).get("security", ())]
    return {
        "id": report["id"],
        "status": report.get("status", ""),
        "issued": report.get("issued", ""),
        "title": _concept(report.get("code")),
        "conclusion": report.get("conclusion", ""),
        "labels": labels,
    }


def _concept(concept: Json | None) -> str:
    """A CodeableConcept in words."""
    coding = ((concept or {}).get("coding") or [{}])[0]
    return (concept or {}).get("text") or coding.get("display") or coding.get("code") or ""


def _day(moment: str | None) -> str:
    return (moment or "")[:10]
