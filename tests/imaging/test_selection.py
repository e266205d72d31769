"""Which image of a study is scored, and what is said of those that are not."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import numpy as np
import pytest

from cds.errors import ImagingError
from cds.imaging.dicomweb import DICOMweb
from cds.imaging.selection import choose

from .conftest import make_file

TAGS = {
    "modality": "00080060",
    "body": "00180015",
    "view": "00185101",
    "intent": "00080068",
    "date": "00080023",
    "series": "0020000E",
    "sop": "00080018",
    "number": "00200013",
    "sop_class": "00080016",
    "series_description": "0008103E",
}


def image(sop: str, **given: Any) -> dict[str, Any]:
    """A QIDO-RS match in the DICOM JSON model."""
    stated = {"sop": sop, "series": "1.2", "modality": "DX", "body": "CHEST", "view": "PA"} | given
    return {TAGS[name]: {"vr": "CS", "Value": [value]} for name, value in stated.items() if value != ""}


def test_frontal_goes_before_lateral_and_the_lateral_is_named() -> None:
    choice = choose([image("1.1", view="LL"), image("1.3"), image("1.4", view="LATERAL")])
    assert (choice.instance_uid, choice.view) == ("1.3", "PA")
    assert choice.passed_over == ("2 x lateral view",)


@pytest.mark.parametrize("frontal", ["PA", "AP"])
def test_a_stated_frontal_view_goes_before_an_unstated_one_even_if_older(frontal: str) -> None:
    choice = choose([image("1.1", view=frontal, date="20240101"), image("1.3", view="", date="20250101")])
    assert choice.instance_uid == "1.1"
    assert choice.passed_over == ("view not stated as frontal",)


@pytest.mark.parametrize("lateral", ["W035 Chest lat.", "CHEST LATERAL", "Thorax LLAT", "CXR L LAT"])
@pytest.mark.parametrize("frontal", ["W034 Chest p.a.", "CHEST AP PORTABLE", "Frontal", "Chest"])
def test_where_no_view_is_stated_the_series_is_believed_in_words(lateral: str, frontal: str) -> None:
    films = [
        image("1.1", view="", series_description=frontal, date="20250101"),
        image("1.3", view="", series_description=lateral, date="20250102"),
    ]
    assert choose(films).instance_uid == "1.1"
    assert choose(films).passed_over == ("lateral view",)
    with pytest.raises(ImagingError, match=r"\(lateral view\)"):
        choose(films[1:])


@pytest.mark.parametrize(
    "words", ["PA AND LATERAL", "LEFT LATERAL DECUBITUS", "Bilateral", "Chest 2 views", "plate 1", "PALM"]
)
def test_words_that_do_not_say_lateral_refuse_nothing(words: str) -> None:
    assert choose([image("1.1", view="", series_description=words)]).instance_uid == "1.1"


def test_the_attribute_goes_before_the_words() -> None:
    assert choose([image("1.1", view="PA", series_description="LATERAL")]).view == "PA"
    with pytest.raises(ImagingError, match="lateral view"):
        choose([image("1.1", view="LL", series_description="CHEST PA")])


@pytest.mark.parametrize("stated", [{"body": "CHEST"}, {"series_description": "Chest AP"}])
def test_a_film_of_the_chest_goes_before_one_of_nobody_knows_what(stated: dict[str, str]) -> None:
    """Of an acute abdomen there is one of the chest and two of the abdomen."""
    unstated = [image(sop, body="", date="20250101") for sop in ("1.3", "1.5")]
    choice = choose([image("1.1", date="20240101", **({"body": ""} | stated)), *unstated])
    assert choice.instance_uid == "1.1"
    assert choice.passed_over == ("2 x body part not stated",)


def test_what_somebody_drew_on_a_film_is_not_the_film() -> None:
    captured = "1.2.840.10008.5.1.4.1.1.7"
    drawn = [
        image(sop, sop_class=uid, date="20250102") for sop, uid in (("1.3", captured), ("1.5", f"{captured}.4"))
    ]
    choice = choose([image("1.1", date="20250101"), *drawn])
    assert choice.instance_uid == "1.1"
    assert choice.passed_over == ("2 x secondary capture",)
    assert choose(drawn[:1]).instance_uid == "1.3"


def test_for_presentation_goes_before_for_processing() -> None:
    raw, shown = image("1.1", intent="FOR PROCESSING", date="20250101"), image("1.3", intent="FOR PRESENTATION")
    assert choose([raw, shown]).instance_uid == "1.3"
    assert choose([raw, shown]).passed_over == ("unprocessed image",)
    assert choose([raw]).instance_uid == "1.1"


def test_the_storage_class_speaks_where_the_attributes_are_silent() -> None:
    dx = "1.2.840.10008.5.1.4.1.1.1.1"
    shown, raw = (image(sop, modality="", sop_class=uid) for sop, uid in (("1.1", dx), ("1.3", dx + ".1")))
    choice = choose([raw, shown])
    assert (choice.instance_uid, choice.modality) == ("1.1", "DX")
    assert choice.passed_over == ("unprocessed image",)


def test_what_we_stored_there_ourselves_is_as_if_it_were_not() -> None:
    ours = [
        image(f"2.25.{number}", modality=modality, series_description="AI, preliminary, not for diagnosis")
        for number, modality in enumerate(("SR", "OT", "OT"))
    ]
    assert choose([image("1.1"), *ours]) == choose([image("1.1")])


def test_the_newest_of_equals_is_taken_whatever_the_order() -> None:
    old, new = image("1.1", date="20230101"), image("1.3", date="20250101")
    assert choose([old, new]) == choose([new, old])
    assert choose([old, new]).instance_uid == "1.3"
    assert choose([old, new]).passed_over == ("older image",)
    assert choose([image("1.1", number=1), image("1.3", number=10), image("1.5", number=9)]).instance_uid == "1.3"


@pytest.mark.parametrize("other", ["MG", "CT", "RF", "SR", ""])
def test_only_radiographs_are_scored(other: str) -> None:
    choice = choose([image("1.1", modality=other), image("1.3", modality="CR")])
    assert choice.instance_uid == "1.3"
    assert choice.passed_over == (f"{other or 'unknown modality'}, not a radiograph",)


def test_another_body_part_is_not_scored_but_an_unstated_one_is() -> None:
    with pytest.raises(ImagingError, match="DX of another body part"):
        choose([image("1.1", body="KNEE")])
    assert choose([image("1.1", body="")]).instance_uid == "1.1"


@pytest.mark.parametrize(
    "nothing", [[], [image("1.1", view="RL")], [image("1.1", modality="CT")], [image("", series="")]]
)
def test_without_a_frontal_chest_radiograph_the_error_says_what_there_was(nothing: list[dict[str, Any]]) -> None:
    with pytest.raises(ImagingError, match=r"no frontal chest radiograph \(.+\)"):
        choose(nothing)


@pytest.mark.parametrize(
    "hostile",
    [
        {},
        {"00080018": "1.2"},
        {"00080018": {"Value": {}}},
        {"00080018": {"Value": [{"a": 1}]}},
        {"00080018": {"Value": [None]}, "00080060": None},
        {tag: {"Value": [["x"] * 5]} for tag in TAGS.values()},
        {tag: {"Value": [10**400]} for tag in TAGS.values()},
    ],
)
def test_matches_of_any_shape_do_no_harm(hostile: dict[str, Any]) -> None:
    assert choose([hostile, image("1.3")]).instance_uid == "1.3"


@pytest.mark.parametrize("said", ["DOE^JANE 1961", "<img src=x>", "X" * 17, "CHEST\nPA"])
@pytest.mark.parametrize("kind", ["modality", "view", "body"])
def test_what_is_no_code_is_not_repeated(kind: str, said: str) -> None:
    odd = image("1.1", **{kind: said, "date": "20240101"})
    choice = choose([odd, image("1.3", date="20250101")])
    assert said.upper() not in str(choice)
    with pytest.raises(ImagingError) as refused:
        choose([odd | image("1.1", view="LL", **({kind: said} if kind != "view" else {}))])
    assert said.upper() not in str(refused.value)


@pytest.mark.orthanc
def test_a_real_pacs_tells_what_is_chosen_by(orthanc: str) -> None:
    """Computed radiography without a view or body part, beside what another program drew."""
    study = f"2.25.{uuid.uuid4().int}"[:50]
    captured = "1.2.840.10008.5.1.4.1.1.7"
    series = [
        ("W034 Chest p.a.", {}),
        ("W035 Chest lat.", {}),
        ("Abdomen ap", {}),
        ("AI", {"SOPClassUID": captured}),
    ]
    y, x = np.mgrid[0:96, 0:80]
    films = [
        make_file(
            (8 * x + 16 * y).astype(np.uint16),
            **{"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.{n}", "SOPInstanceUID": f"{study}.{n}.1"},
            **{"Modality": "CR", "ViewPosition": "", "BodyPartExamined": "", "SeriesDescription": description},
            **{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1", "ContentDate": f"2026010{n}"} | attributes,
        )
        for n, (description, attributes) in enumerate(series, start=1)
    ]
    with httpx.Client(trust_env=False) as http:
        pacs = DICOMweb(http, orthanc, None, max_bytes=2**24, timeout=30)
        pacs.store(study, films)
        choice = choose(pacs.instances(study))
    assert choice.series_uid == f"{study}.1"
    assert sorted(choice.passed_over) == ["body part not stated", "lateral view", "secondary capture"]
