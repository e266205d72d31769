"""From a case to a sample patient: its resources dated, its films drawn and wrapped in DICOM."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from cds.sandbox.patients import documents, dx, resources
from cds.sandbox.patients.cases import CASES, Case, Note
from cds.sandbox.patients.dx import Shot
from cds.sandbox.patients.films import Film, Films
from cds.sandbox.patients.people import Person
from cds.sandbox.patients.sample import Resource, SamplePatient, transaction, uid
from cds.sandbox.patients.text import note
from cds.sandbox.radiograph import FIELD_CM, VERSION

ONSET_DAYS = 400
"""How long before today the problems on the lists began."""


def sample_patients(pacs_root: str, now: date, films: Films | None = None) -> list[SamplePatient]:
    """All sample patients, as of the day ``now``, whose images are at the DICOMweb root ``pacs_root``.

    The same arguments give the same patients, byte for byte. ``films`` may keep the drawn films on disk.
    """
    kept = films or Films()
    return [_sample(case, pacs_root, now, kept) for case in CASES]


def _sample(case: Case, pacs_root: str, now: date, films: Films) -> SamplePatient:
    person = case.person
    taken = datetime.combine(now - timedelta(days=case.film_days_ago), time(6, 55), UTC)
    shots = [(film, _shot(person, film, number, taken)) for number, film in enumerate(case.films, 1)]
    held = [resources.patient(person, case.story), resources.encounter(person, case.visit, now, case.doctor)]
    order = resources.chest_order(person, case.reason, case.doctor, resources.instant(now, 11))
    held.append(order)
    if case.problem:
        held.append(resources.condition(person, case.problem, now - timedelta(days=ONSET_DAYS)))
    if shots:
        held.append(_study(person, [shot for _, shot in shots]))
    for number, one in enumerate(case.notes, 1):
        held += _document(person, one, number, now)
    return SamplePatient(
        id=person.id,
        name=person.name,
        story=case.story,
        bundle=transaction([*resources.shared(pacs_root), *held]),
        order=order,
        instances=tuple(dx.instance(person, shot, films.frame(film, case.body)) for film, shot in shots),
        study_uid=shots[0][1].study_uid if shots else None,
        expected=case.expected,
        fault=case.fault,
    )


def _shot(person: Person, film: Film, number: int, taken: datetime) -> Shot:
    return Shot(
        study_uid=uid(person.id, "study"),
        series_uid=uid(person.id, "series", number),
        instance_uid=uid(person.id, "instance", number, VERSION),
        series_number=number,
        view="LL" if film.lateral else film.view,
        taken=taken + timedelta(minutes=number),
        spacing_mm=FIELD_CM * 10 / film.size[0],
    )


def _study(person: Person, shots: list[Shot]) -> Resource:
    images = [
        resources.Image(shot.series_uid, shot.instance_uid, dx.SOP_CLASS, "DX", f"CHEST {shot.view}")
        for shot in shots
    ]
    return resources.imaging_study(person, shots[0].study_uid, shots[0].taken.isoformat(), images)


def _document(person: Person, one: Note, number: int, now: date) -> list[Resource]:
    day = now - timedelta(days=one.days_ago)
    written = datetime.combine(day, time(8, 30), UTC)
    reference = resources.document(
        person, number, one.kind, title=one.title, written=written.isoformat(), author=one.author
    )
    text = note(one.text, person, now)
    sections = documents.sections(text)
    match one.form:
        case "pdf":
            return resources.linked(reference, "application/pdf", documents.pdf(one.title, sections))
        case "rtf":
            return resources.linked(reference, "application/rtf", documents.rtf(one.title, sections))
        case "html":
            page = documents.html(one.title, sections, _particulars(person, day))
            return resources.linked(reference, "text/html", page)
        case "ccda":
            cda = documents.ccda(one.title, sections, person, one.author, written)
            return resources.linked(reference, "application/hl7-cda+xml", cda)
    return resources.inline(reference, text)


def _particulars(person: Person, day: date) -> dict[str, str]:
    return {
        "Patient": person.name,
        "Date of birth": f"{person.born:%m/%d/%Y}",
        "MRN": person.mrn,
        "Phone": person.phone,
        "Date of visit": f"{day:%m/%d/%Y}",
    }
