"""A Consolidated CDA document (HL7 C-CDA R2.1): header with the patient's particulars, narrative sections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lxml import etree
from lxml.builder import ElementMaker

from cds.sandbox.patients.documents.sections import Section
from cds.sandbox.patients.people import HOSPITAL, Clinician, Person

NAMESPACE = "urn:hl7-org:v3"
_LOINC = "2.16.840.1.113883.6.1"
_MRN_ROOT = "2.16.840.1.113883.19.5.99999.1"
_CODES = {
    "Allergies": "48765-2",
    "Assessment and plan": "51847-2",
    "History of present illness": "10164-2",
    "Medications": "10160-0",
    "Problems": "11450-4",
    "Results": "30954-2",
    "Social history": "29762-2",
}

_E = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


def ccda(title: str, body: Iterable[Section], person: Person, author: Clinician, written: datetime) -> bytes:
    """A Continuity of Care Document; its sections are narrative, without coded entries."""
    root = _E.ClinicalDocument(
        _E.realmCode(code="US"),
        _E.typeId(root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        _E.templateId(root="2.16.840.1.113883.10.20.22.1.2", extension="2015-08-01"),
        _E.id(root=_MRN_ROOT, extension=f"{person.mrn}-ccd"),
        _E.code(code="34133-9", codeSystem=_LOINC, displayName="Summarization of Episode Note"),
        _E.title(title),
        _E.effectiveTime(value=f"{written:%Y%m%d%H%M%S}+0000"),
        _E.confidentialityCode(code="N", codeSystem="2.16.840.1.113883.5.25"),
        _E.languageCode(code="en-US"),
        _record_target(person),
        _author(author, written),
        _E.custodian(_E.assignedCustodian(_E.representedCustodianOrganization(_E.id(root=_MRN_ROOT), _E.name(HOSPITAL)))),
        _E.component(_E.structuredBody(*(_E.component(_section(section)) for section in body))),
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _record_target(person: Person) -> etree._Element:
    gender = {"F": "Female", "M": "Male"}[person.sex]
    return _E.recordTarget(
        _E.patientRole(
            _E.id(root=_MRN_ROOT, extension=person.mrn),
            _E.addr(
                _E.streetAddressLine(person.street),
                _E.city(person.city),
                _E.state(person.state),
                _E.postalCode(person.postcode),
                _E.country("US"),
                use="HP",
            ),
            _E.telecom(value=f"tel:+1-{person.phone}", use="HP"),
            _E.patient(
                _E.name(_E.given(person.given), _E.family(person.family), use="L"),
                _E.administrativeGenderCode(code=person.sex, codeSystem="2.16.840.1.113883.5.1", displayName=gender),
                _E.birthTime(value=f"{person.born:%Y%m%d}"),
            ),
        )
    )


def _author(author: Clinician, written: datetime) -> etree._Element:
    return _E.author(
        _E.time(value=f"{written:%Y%m%d%H%M%S}+0000"),
        _E.assignedAuthor(
            _E.id(root="2.16.840.1.113883.4.6", extension=author.npi),
            _E.assignedPerson(_E.name(_E.given(author.given), _E.family(author.family), _E.suffix(author.title))),
        ),
    )


def _section(section: Section) -> etree._Element:
    heading = section.heading or "Summary"
    code = _E.code(code=_CODES.get(heading, "55109-3"), codeSystem=_LOINC, displayName=heading)
    return _E.section(code, _E.title(heading), _E.text(*map(_E.paragraph, section.paragraphs)))
