"""FHIR R4 resources of a sample patient, one function each."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from html import escape
from typing import Protocol

from cds.findings import SNOMED_CT
from cds.sandbox.patients.people import CLINICIANS, HOSPITAL, Clinician, Person
from cds.sandbox.patients.sample import Resource

DICOM_TERMS = "http://dicom.nema.org/resources/ontology/DCM"
HL7 = "http://terminology.hl7.org/CodeSystem"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"
URI = "urn:ietf:rfc:3986"

ORGANIZATION_ID = "lakemere"
ENDPOINT_ID = "sandbox-pacs"
MRN_SYSTEM = "urn:oid:2.16.840.1.113883.19.5.99999.1"

Coded = tuple[str, str]
"""A code and its display."""

CHEST_FILM = ("399208008", "Plain chest X-ray")


class Subject(Protocol):
    """Whom a resource is about."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


def concept(system: str, code: str, display: str, text: str = "") -> Resource:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": text or display}


def instant(day: date, hour: int, minute: int = 0) -> str:
    """A FHIR instant on ``day``, in UTC."""
    return datetime.combine(day, time(hour, minute), UTC).isoformat()


def shared(pacs_root: str) -> list[Resource]:
    """What all sample patients have in common: the hospital, its people and its PACS."""
    organization = {
        "resourceType": "Organization",
        "id": ORGANIZATION_ID,
        "active": True,
        "name": HOSPITAL,
        "telecom": [{"system": "phone", "value": "617-555-0100"}],
        "endpoint": [{"reference": f"Endpoint/{ENDPOINT_ID}"}],
    }
    people = [resource for clinician in CLINICIANS for resource in (practitioner(clinician), role(clinician))]
    return [organization, endpoint(pacs_root), *people]


def endpoint(pacs_root: str) -> Resource:
    """Where the PACS answers: its DICOMweb root."""
    return {
        "resourceType": "Endpoint",
        "id": ENDPOINT_ID,
        "status": "active",
        "connectionType": {"system": f"{HL7}/endpoint-connection-type", "code": "dicom-wado-rs"},
        "name": f"{HOSPITAL} PACS, DICOMweb",
        "managingOrganization": {"reference": f"Organization/{ORGANIZATION_ID}"},
        "payloadType": [{"text": "DICOM WADO-RS"}],
        "payloadMimeType": ["application/dicom"],
        "address": pacs_root,
    }


def practitioner(clinician: Clinician) -> Resource:
    return {
        "resourceType": "Practitioner",
        "id": clinician.id,
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": clinician.npi}],
        "active": True,
        "name": [{"family": clinician.family, "given": [clinician.given], "suffix": [clinician.title]}],
    }


def role(clinician: Clinician) -> Resource:
    return {
        "resourceType": "PractitionerRole",
        "id": f"{clinician.id}-role",
        "active": True,
        "practitioner": {"reference": f"Practitioner/{clinician.id}", "display": clinician.name},
        "organization": {"reference": f"Organization/{ORGANIZATION_ID}"},
        "code": [concept(SNOMED_CT, *clinician.role)],
    }


def patient(person: Person, story: str) -> Resource:
    """``story``, what the sample is for, is the narrative that the EHR's page shows."""
    telecom = [{"system": "phone", "use": "home", "value": person.phone}]
    if person.email:
        telecom.append({"system": "email", "value": person.email})
    mrn_type = concept(f"{HL7}/v2-0203", "MR", "Medical record number")
    return {
        "resourceType": "Patient",
        "id": person.id,
        "text": {
            "status": "additional",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(story)}</div>',
        },
        "identifier": [{"use": "usual", "type": mrn_type, "system": MRN_SYSTEM, "value": person.mrn}],
        "active": True,
        "name": [{"use": "official", "family": person.family, "given": person.given.split()}],
        "telecom": telecom,
        "gender": {"F": "female", "M": "male", "O": "unknown"}[person.sex],
        "birthDate": person.born.isoformat(),
        "address": [
            {
                "use": "home",
                "line": [person.street],
                "city": person.city,
                "state": person.state,
                "postalCode": person.postcode,
                "country": "US",
            }
        ],
        "managingOrganization": {"reference": f"Organization/{ORGANIZATION_ID}"},
    }


def encounter(person: Subject, kind: Coded, day: date, doctor: Clinician) -> Resource:
    """The visit in which the order is written; ``kind`` is a code of v3-ActCode."""
    return {
        "resourceType": "Encounter",
        "id": f"{person.id}-encounter",
        "status": "in-progress",
        "class": {"system": f"{HL7}/v3-ActCode", "code": kind[0], "display": kind[1]},
        "subject": subject(person),
        "participant": [{"individual": {"reference": f"Practitioner/{doctor.id}"}}],
        "period": {"start": instant(day, 7, 40)},
        "serviceProvider": {"reference": f"Organization/{ORGANIZATION_ID}"},
    }


def condition(person: Person, problem: Coded, onset: date) -> Resource:
    return {
        "resourceType": "Condition",
        "id": f"{person.id}-condition",
        "clinicalStatus": concept(f"{HL7}/condition-clinical", "active", "Active"),
        "verificationStatus": concept(f"{HL7}/condition-ver-status", "confirmed", "Confirmed"),
        "category": [concept(f"{HL7}/condition-category", "problem-list-item", "Problem List Item")],
        "code": concept(SNOMED_CT, *problem),
        "subject": subject(person),
        "onsetDateTime": onset.isoformat(),
    }


@dataclass(frozen=True, slots=True)
class Image:
    """The one image of a series."""

    series_uid: str
    uid: str
    sop_class: str
    modality: str
    title: str


def imaging_study(person: Person, study_uid: str, started: str, images: Sequence[Image]) -> Resource:
    """A chest study with one series for each image."""
    return {
        "resourceType": "ImagingStudy",
        "id": f"{person.id}-study",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{study_uid}"}],
        "status": "available",
        "modality": [_modality(code) for code in sorted({image.modality for image in images})],
        "subject": subject(person),
        "encounter": {"reference": f"Encounter/{person.id}-encounter"},
        "started": started,
        "endpoint": [{"reference": f"Endpoint/{ENDPOINT_ID}"}],
        "numberOfSeries": len(images),
        "numberOfInstances": len(images),
        "procedureCode": [concept(SNOMED_CT, *CHEST_FILM)],
        "description": "XR CHEST",
        "series": [_series(number, image, started) for number, image in enumerate(images, 1)],
    }


def _series(number: int, image: Image, started: str) -> Resource:
    return {
        "uid": image.series_uid,
        "number": number,
        "modality": _modality(image.modality),
        "description": image.title,
        "numberOfInstances": 1,
        "bodySite": {"system": SNOMED_CT, "code": "51185008", "display": "Thoracic structure"},
        "started": started,
        "instance": [
            {
                "uid": image.uid,
                "sopClass": {"system": URI, "code": f"urn:oid:{image.sop_class}"},
                "number": 1,
                "title": image.title,
            }
        ],
    }


def _modality(code: str) -> Resource:
    return {"system": DICOM_TERMS, "code": code} | ({"display": "Digital Radiography"} if code == "DX" else {})


def document(person: Person, number: int, kind: Coded, *, title: str, written: str, author: Clinician) -> Resource:
    """A DocumentReference without its content (see :func:`inline` and :func:`linked`); ``kind`` is of LOINC."""
    return {
        "resourceType": "DocumentReference",
        "id": f"{person.id}-note-{number}",
        "status": "current",
        "docStatus": "final",
        "type": concept(LOINC, *kind),
        "category": [
            concept(
                "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                "clinical-note",
                "Clinical Note",
            )
        ],
        "subject": subject(person),
        "date": written,
        "author": [{"reference": f"Practitioner/{author.id}", "display": author.name}],
        "custodian": {"reference": f"Organization/{ORGANIZATION_ID}"},
        "description": title,
        "content": [{"attachment": {"title": title, "creation": written}}],
        "context": {"encounter": [{"reference": f"Encounter/{person.id}-encounter"}]},
    }


def inline(reference: Resource, text: str) -> list[Resource]:
    """The document with its text inside."""
    data = base64.b64encode(text.encode()).decode()
    reference["content"][0]["attachment"] |= {"contentType": "text/plain; charset=utf-8", "data": data}
    return [reference]


def linked(reference: Resource, content_type: str, data: bytes) -> list[Resource]:
    """The document with its bytes in a Binary beside it."""
    binary = {
        "resourceType": "Binary",
        "id": f"{reference['id']}-file",
        "contentType": content_type,
        "securityContext": {"reference": reference["subject"]["reference"]},
        "data": base64.b64encode(data).decode(),
    }
    attachment = {"contentType": content_type, "url": f"Binary/{binary['id']}", "size": len(data)}
    reference["content"][0]["attachment"] |= attachment
    return [binary, reference]


def chest_order(person: Subject, reason: Coded, doctor: Clinician, authored: str) -> Resource:
    """The draft order for a chest radiograph in two views that ``order-sign`` is about."""
    return {
        "resourceType": "ServiceRequest",
        "id": f"{person.id}-order",
        "status": "draft",
        "intent": "order",
        "priority": "routine",
        "category": [concept(SNOMED_CT, "363679005", "Imaging")],
        "code": {
            "coding": [
                {"system": CPT, "code": "71046", "display": "Radiologic examination, chest; 2 views"},
                {"system": LOINC, "code": "36643-5", "display": "XR Chest 2 Views"},
                {"system": SNOMED_CT, "code": "399208008", "display": "Plain chest X-ray"},
            ],
            "text": "Chest radiograph, 2 views",
        },
        "subject": subject(person),
        "encounter": {"reference": f"Encounter/{person.id}-encounter"},
        "authoredOn": authored,
        "requester": {"reference": f"Practitioner/{doctor.id}", "display": doctor.name},
        "reasonCode": [concept(SNOMED_CT, *reason)],
    }


def subject(person: Subject) -> Resource:
    return {"reference": f"Patient/{person.id}", "display": person.name}
