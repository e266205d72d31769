"""A Consolidated CDA document (HL7 C-CDA R2.1): header with the patient's particulars, narrative sections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lxml import etree

from cds.sandbox.patients.documents.sections import Section
from cds.sandbox.patients.people import HOSPITAL, Clinician, Person

NAMESPACE = "urn:hl7-org:v3"
_PREFIXES: Any = {None: NAMESPACE}
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


def ccda(title: str, body: Iterable[Section], person: Person, author: Clinician, written: datetime) -> bytes:
    """A Continuity of Care Document; its sections are narrative, without coded entries."""
    root = _e(
        "ClinicalDocument",
        _e("realmCode", code="US"),
        _e("typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        _e("templateId", root="2.16.840.1.113883.10.20.22.1.2", extension="2015-08-01"),
        _e("id", root=_MRN_ROOT, extension=f"{person.mrn}-ccd"),
        _e("code", code="34133-9", codeSystem=_LOINC, displayName="Summarization of Episode Note"),
        _e("title", title),
        _e("effectiveTime", value=f"{written:%Y%m%d%H%M%S}+0000"),
        _e("confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25"),
        _e("languageCode", code="en-US"),
        _record_target(person),
        _author(author, written),
        _e(
            "custodian",
            _e(
                "assignedCustodian",
                _e("representedCustodianOrganization", _e("id", root=_MRN_ROOT), _e("name", HOSPITAL)),
            ),
        ),
        _e("component", _e("structuredBody", *(_e("component", _section(section)) for section in body))),
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _record_target(person: Person) -> etree._Element:
    gender = {"F": "Female", "M": "Male"}[person.sex]
    return _e(
        "recordTarget",
        _e(
            "patientRole",
            _e("id", root=_MRN_ROOT, extension=person.mrn),
            _e(
                "addr",
                _e("streetAddressLine", person.street),
                _e("city", person.city),
                _e("state", person.state),
                _e("postalCode", person.postcode),
                _e("country", "US"),
                use="HP",
            ),
            _e("telecom", value=f"tel:+1-{person.phone}", use="HP"),
            _e(
                "patient",
                _e("name", _e("given", person.given), _e("family", person.family), use="L"),
                _e(
                    "administrativeGenderCode",
                    code=person.sex,
                    codeSystem="2.16.840.1.113883.5.1",
                    displayName=gender,
                ),
                _e("birthTime", value=f"{person.born:%Y%m%d}"),
            ),
        ),
    )


def _author(author: Clinician, written: datetime) -> etree._Element:
    return _e(
        "author",
        _e("time", value=f"{written:%Y%m%d%H%M%S}+0000"),
        _e(
            "assignedAuthor",
            _e("id", root="2.16.840.1.113883.4.6", extension=author.npi),
            _e(
                "assignedPerson",
                _e("name", _e("given", author.given), _e("family", author.family), _e("suffix", author.title)),
            ),
        ),
    )


def _section(section: Section) -> etree._Element:
    heading = section.heading or "Summary"
    code = _e("code", code=_CODES.get(heading, "55109-3"), codeSystem=_LOINC, displayName=heading)
    return _e(
        "section",
        code,
        _e("title", heading),
        _e("text", *(_e("paragraph", paragraph) for paragraph in section.paragraphs)),
    )


def _e(tag: str, *content: str | etree._Element, **attributes: str) -> etree._Element:
    """An element of the HL7 v3 namespace with this text or these children."""
    element = etree.Element(f"{{{NAMESPACE}}}{tag}", attributes, nsmap=_PREFIXES)
    for part in content:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element
