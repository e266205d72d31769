"""Which studies can be scored, in what order, and what is said about the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cds.ehr.imaging_studies import select, started, study_uid

ROOT = "https://pacs.example/dicom-web"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"


def endpoint(
    id_: str = "e1", address: str = f"{ROOT}/", code: str = "dicom-wado-rs", status: str = "active"
) -> Any:
    connection = {"system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": code}
    return {
        "resourceType": "Endpoint",
        "id": id_,
        "status": status,
        "connectionType": connection,
        "address": address,
    }


def series(modality: str = "DX", uid: str = "1.2.3.1", site: str | None = "51185008", **more: Any) -> Any:
    body_site = {"bodySite": {"system": "http://snomed.info/sct", "code": site}} if site else {}
    return {"uid": uid, "modality": {"system": DICOM, "code": modality}, **body_site, **more}


def study(id_: str = "s1", *, uid: str = "1.2.3", of: Any = None, **more: Any) -> Any:
    return {
        "resourceType": "ImagingStudy",
        "id": id_,
        "status": "available",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "started": "2024-03-02T08:30:00Z",
        "endpoint": [{"reference": "Endpoint/e1"}],
        "series": [series()] if of is None else of,
        **more,
    }


def test_a_chest_radiograph_is_a_candidate() -> None:
    (candidate,) = select([study(description="Chest PA")], [endpoint()]).candidates
    assert candidate.reference == "ImagingStudy/s1"
    assert candidate.study_uid == "1.2.3"
    assert candidate.modality == "DX"
    assert candidate.roots == (ROOT,)
    assert candidate.description == "Chest PA"
    assert candidate.started == started(study())


def test_the_newest_comes_first_whatever_the_order_zone_or_precision() -> None:
    moments = ["2024-03-02", "2024-03-02T08:00:00+14:00", "2023", "2024-03-02T08:00:00-05:00", "2024-03", "soon"]
    studies = [study(f"s{n}", started=moment) for n, moment in enumerate(moments)]
    found = select(studies, [endpoint()]).candidates
    assert [candidate.reference[-2:] for candidate in found] == ["s3", "s0", "s1", "s4", "s2", "s5"]


def test_digital_before_computed_radiography_and_other_series_left_out() -> None:
    own = {name: {"endpoint": [{"reference": f"Endpoint/{name}"}]} for name in ("cr", "sr", "dx")}
    several = [series("SR", **own["sr"]), series("CR", **own["cr"]), series("DX", **own["dx"])]
    endpoints = [endpoint(name, f"{ROOT}/{name}") for name in own]
    (candidate,) = select([study(of=several, endpoint=[])], endpoints).candidates
    assert (candidate.modality, candidate.roots) == ("DX", (f"{ROOT}/dx",))


@pytest.mark.parametrize(
    ("passed_over", "reason"),
    [
        (study(status="entered-in-error"), "DX of 2024-03-02: entered-in-error"),
        (study(status="cancelled"), "DX of 2024-03-02: cancelled"),
        (study(identifier=[]), "DX of 2024-03-02: no Study Instance UID"),
        (study(uid="1.02"), "DX of 2024-03-02: no Study Instance UID"),
        (study(uid="1.2/../../admin"), "DX of 2024-03-02: no Study Instance UID"),
        (study(of=[series("CT")]), "CT of 2024-03-02: not a radiograph"),
        (study(of=[series(site="72696002")]), "DX of 2024-03-02: not of the chest"),
        (study(endpoint=[]), "DX of 2024-03-02: no DICOMweb address"),
        (study(endpoint=[{"reference": "Endpoint/unknown"}]), "DX of 2024-03-02: no DICOMweb address"),
        (study(of=[series("[x](http://evil)")], started=None), "study: not a radiograph"),
    ],
)
def test_what_cannot_be_scored_is_said_in_a_few_words(passed_over: Any, reason: str) -> None:
    selection = select([passed_over, study("good")], [endpoint()])
    assert [candidate.reference for candidate in selection.candidates] == ["ImagingStudy/good"]
    assert selection.passed_over == (reason,)


@pytest.mark.parametrize(
    "chest",
    [
        study(of=[series(site=None)]),
        study(of=[], modality=[{"system": DICOM, "code": "CR"}]),
        study(of=[series(site=None, bodySite={"display": "Entire thorax"})]),
        study(of=[series(site=None, bodySite={"code": "CHEST"})]),
        study(of=[series(site="999")], description="XR CHEST 2 VIEWS"),
        study(of=[series(site="999")], procedureCode=[{"text": "Plain chest X-ray"}]),
    ],
)
def test_the_chest_may_be_named_anywhere_or_nowhere(chest: Any) -> None:
    assert len(select([chest], [endpoint()]).candidates) == 1


@pytest.mark.parametrize(
    "wrong",
    [endpoint(code="hl7-fhir-rest"), endpoint(status="off"), endpoint(address=""), {"resourceType": "Endpoint"}],
)
def test_an_endpoint_must_be_active_and_speak_wado_rs(wrong: Any) -> None:
    assert select([study()], [wrong]).candidates == ()


def test_where_no_endpoint_says_where_it_is_a_study_may_be_in_any_pacs() -> None:
    others = ["https://a.example", "https://b.example"]
    assert select([study(endpoint=[])], [], elsewhere=others).candidates[0].roots == tuple(others)
    assert select([study()], [endpoint()], elsewhere=others).candidates[0].roots == (ROOT,)


def test_a_series_may_name_its_own_endpoint_and_an_endpoint_may_be_contained() -> None:
    own = series(endpoint=[{"reference": "#c1"}])
    contained = {**endpoint("c1", "https://pacs.example/other")}
    (candidate,) = select([study(of=[own], endpoint=[], contained=[contained])], []).candidates
    assert candidate.roots == ("https://pacs.example/other",)


def test_an_absolute_or_versioned_reference_names_the_same_endpoint() -> None:
    for reference in ("https://ehr.example/fhir/Endpoint/e1", "Endpoint/e1/_history/4"):
        assert select([study(endpoint=[{"reference": reference}])], [endpoint()]).candidates


def test_the_uid_of_system_dicom_wins_over_a_plain_uri() -> None:
    uri = {"system": "urn:ietf:rfc:3986", "value": "urn:oid:9.9"}
    dicom = {"system": "urn:dicom:uid", "value": "urn:oid:1.2"}
    assert study_uid(study(identifier=[uri, dicom])) == "1.2"
    assert study_uid(study(identifier=[uri])) == "9.9"


@pytest.mark.parametrize(
    "field", ["identifier", "series", "modality", "endpoint", "contained", "started", "status"]
)
@pytest.mark.parametrize("value", [None, 7, "text", [None], [7], {"reference": 7}, [{"reference": {}}], [[]]])
def test_a_study_of_the_wrong_shapes_never_raises(field: str, value: object) -> None:
    selection = select([study(**{field: value}), study("good")], [endpoint(), {}])
    assert "ImagingStudy/good" in [candidate.reference for candidate in selection.candidates]


def test_a_study_of_synthea_is_read() -> None:
    data = os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[3] / "shared" / "data")
    bundles = sorted(Path(data, "synthea").glob("*.json"))
    if not bundles:
        pytest.skip("no Synthea bundles under SIGHTLINE_DATA")
    resources = [entry["resource"] for path in bundles for entry in json.loads(path.read_text())["entry"]]
    studies = [resource for resource in resources if resource["resourceType"] == "ImagingStudy"]
    selection = select(studies, [], elsewhere=[ROOT])
    assert studies
    assert len(selection.candidates) + len(selection.passed_over) == len(studies)
    assert all(study_uid(resource) for resource in studies)
