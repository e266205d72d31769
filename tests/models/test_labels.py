"""What others call a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.errors import ModelError
from cds.findings import FINDINGS
from cds.models.labels import CHESTXRAY14, TORCHXRAYVISION, finding, mapped, read_map


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("Effusion", "effusion"),
        ("PLEURAL EFFUSION", "effusion"),
        ("Pleural_Thickening", "pleural_thickening"),
        ("pleural-thickening", "pleural_thickening"),
        ("Pulmonary oedema", "edema"),
        ("Lung Lesion", None),
        ("No Finding", None),
    ],
)
def test_a_label_is_known_by_its_synonyms(label: str, key: str | None) -> None:
    assert finding(label) == key


@pytest.mark.parametrize("published", [CHESTXRAY14, TORCHXRAYVISION])
def test_every_published_order_has_our_fourteen(published: tuple[str, ...]) -> None:
    assert list(mapped(published, {}).outputs) == list(FINDINGS)


def test_what_is_not_ours_is_not_used() -> None:
    matched = mapped(["No Finding", "Pneumonia", "Fracture", "Effusion"], {})
    assert matched.outputs == {"effusion": 3, "pneumonia": 1}
    assert matched.unused == ("No Finding", "Fracture")


def test_a_map_goes_before_names() -> None:
    assert mapped(["LABEL_0", "Pneumonia"], {"LABEL_0": "pneumonia"}).outputs == {"pneumonia": 0}


@pytest.mark.parametrize(
    ("labels", "given", "reason"),
    [
        (["cat", "dog"], {}, "none of the model's labels"),
        (["Effusion", "Pleural effusion"], {}, "both mean effusion"),
        (["a"], {"b": "effusion"}, "labels that the model does not have"),
        (["a"], {"a": "boredom"}, "findings that we do not know"),
    ],
)
def test_refused(labels: list[str], given: dict[str, str], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        mapped(labels, given)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}'])
def test_a_map_is_one_object_of_texts(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(ModelError, match=r"map\.json"):
        read_map(tmp_path / "map.json")
