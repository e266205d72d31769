"""The shipped token classifier: names and places that no pattern knows, and clinical words that stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds.cli import main
from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.settings import PACKAGE_ROOT, Settings

BUNDLE = PACKAGE_ROOT / "models" / Settings().deid_bundle


@pytest.fixture(scope="module")
def deidentifier() -> Deidentifier:
    return Deidentifier(b"k" * 32, TokenClassifier(Bundle.load(BUNDLE)))


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("Splenectomy was done by Abeyta on arrival.", "Abeyta"),
        ("He was flown in from Anchorage by plane.", "Anchorage"),
        ("pt ortega slept on and off. dtr marisol called.", "marisol"),
        ("D/w Haverford, who will see him today.", "Haverford"),
        ("She was transferred from Nashoba Deaconess for surgery.", "Nashoba"),
        ("Sent here from Good Samaritan of Fremont by car.", "Good"),
        ("It was thought to be viral; Pintea disagreed.", "Pintea"),
        ("ADMITTED FROM CEDAR HOLLOW, DAUGHTER XIOMARA AT BEDSIDE.", "XIOMARA"),
    ],
)
def test_what_no_pattern_finds(deidentifier: Deidentifier, text: str, phi: str) -> None:
    assert phi not in deidentifier.deidentify(text, KnownIdentifiers()).text


@pytest.mark.parametrize(
    "text",
    [
        "A Foley catheter and a Swan-Ganz were placed; Babinski negative.",
        "Continue metoprolol 25 mg and furosemide 40 mg daily.",
        "COPD, CHF and CKD, stable. WBC 12.4, BNP 840.",
        "No pneumothorax. Heart size is normal. Degenerative changes of the spine, T10-T12.",
        "Spurling neg. Frankl 3. Tanner 2.",
        "Don't lift; you're fine. C'mon.",
        "Austria was fun to visit. She moved here from Burkina Faso.",
    ],
)
def test_clinical_language_survives_the_classifier_too(deidentifier: Deidentifier, text: str) -> None:
    assert deidentifier.deidentify(text, KnownIdentifiers()).text == text


@pytest.mark.parametrize(
    ("file", "altered"),
    [
        ("config.json", lambda text: text.replace('"dilations": [', '"dilations": [1,')),
        ("config.json", lambda text: text.replace('"ADDRESS"', '"STREET"')),
        ("words.txt", lambda text: text.partition("\n")[2]),
        ("model.safetensors", lambda text: ""),
    ],
    ids=["a layer without weights", "a label without threshold", "a vector without word", "no weights"],
)
def test_a_bundle_whose_files_do_not_fit_is_refused(
    tmp_path: Path, file: str, altered: Callable[[str], str]
) -> None:
    copy = shutil.copytree(BUNDLE, tmp_path / "deidentifier")
    (copy / file).write_text(altered((copy / file).read_text(errors="replace")))
    with pytest.raises(ModelError, match="altered"):
        Bundle.load(copy)
    bundle = Bundle.load(BUNDLE)
    object.__setattr__(bundle, "directory", copy)
    with pytest.raises(ModelError, match="does not load"):
        TokenClassifier(bundle)


def test_the_command_takes_identifiers_out_and_tells_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_DATA_DIR", str(tmp_path / "data"))
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"given": ["Zuri"], "family": "Bell"}]}
    (tmp_path / "patient.json").write_text(json.dumps(patient))
    note = "Zuri was seen on 03/14/2024."
    result = CliRunner().invoke(main, ["deid", "-", "--patient", str(tmp_path / "patient.json")], input=note)
    assert result.exit_code == 0
    assert "Zuri" not in result.stdout
    assert "03/14/2024" not in result.stdout
    assert "2 identifiers replaced: DATE 1, NAME 1" in result.stderr


def test_the_command_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_DATA_DIR", str(tmp_path / "data"))
    corpus, figures = tmp_path / "corpus.jsonl", tmp_path / "figures.json"
    corpus.write_text(
        json.dumps({"text": "MRN 00482913.", "spans": [{"start": 4, "end": 12, "type": "ID"}]}) + "\n"
    )
    result = CliRunner().invoke(main, ["deid", "evaluate", str(corpus), "--json", str(figures)])
    assert result.exit_code == 0
    assert json.loads(figures.read_text())["all"]["recall"] == 1.0


def test_a_file_that_is_no_corpus_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "corpus.jsonl").write_text("nothing\n")
    result = CliRunner().invoke(main, ["deid", "evaluate", str(tmp_path / "corpus.jsonl")])
    assert (result.exit_code, result.stderr) == (2, "cds: line 1 is no annotated note\n")
