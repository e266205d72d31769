"""``cds models`` as a person uses it: what it prints, what it writes, and its exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cds.cli import main
from cds.settings import Settings
from tests.imaging.conftest import make_file

FILMS = 6


@pytest.fixture
def cds(settings: Settings) -> Any:
    def run(*arguments: str | Path) -> Result:
        environment = settings.as_environment()
        return CliRunner().invoke(main, ["models", *map(str, arguments)], env=environment)

    return run


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """PNG, JPEG, 16-bit PNG and DICOM, by turns."""
    directory = tmp_path / "films"
    directory.mkdir()
    y, x = np.mgrid[0:160, 0:128] / 160
    for number in range(FILMS):
        film = 0.5 + 0.3 * np.sin(5 * x + number) * np.cos(4 * y)
        eight, sixteen = (film * 255).astype(np.uint8), (film * 65535).astype(np.uint16)
        place = directory / f"f{number}"
        if number % 4 == 0:
            Image.fromarray(eight).save(place.with_suffix(".png"))
        elif number % 4 == 1:
            Image.fromarray(eight).save(place.with_suffix(".jpg"), quality=95)
        elif number % 4 == 2:
            Image.fromarray(sixteen).save(place.with_suffix(".png"))
        else:
            place.with_suffix(".dcm").write_bytes(make_file(sixteen))
    return directory


def labels(directory: Path, *extra: str) -> Path:
    rows = [f"f{number},{number % 2},{(number // 2) % 2 or ''},x" for number in range(FILMS)]
    file = directory / "labels.csv"
    file.write_text("\n".join(["file,Pneumonia,Pleural Effusion,site", *rows, *extra]) + "\n")
    return file


def test_images_are_evaluated(cds: Any, films: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out.json", tmp_path / "report.html"
    done = cds("evaluate", "--images", films, "--labels", labels(tmp_path), "--json", out, "--html", page)
    assert done.exit_code == 0, done.output
    written = json.loads(out.read_text())
    assert (written["rows"], written["scored"], written["ignored"]) == (6, 6, ["site"])
    pneumonia = written["findings"]["pneumonia"]
    assert (pneumonia["rows"], pneumonia["positives"]) == (6, 3)
    assert pneumonia["auroc_low"] <= pneumonia["auroc"] <= pneumonia["auroc_high"]
    assert written["findings"]["effusion"]["rows"] == 2
    assert "Pneumonia" in done.output
    html = page.read_text()
    assert not re.search(r"(?:src|href)=(?!\"data:)", html)
    assert (tmp_path / "report-roc.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "report-calibration.png").is_file()


def test_what_cannot_be_scored_is_counted_and_the_exit_code_says_so(cds: Any, films: Path, tmp_path: Path) -> None:
    (films / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    Image.new("L", (200, 200), 7).save(films / "blank.png")
    table = labels(tmp_path, "torn.png,1,0,x", "blank.png,1,0,x", "gone.png,0,0,x", "../labels.csv,0,0,x")
    out = tmp_path / "out.json"
    done = cds("evaluate", "--images", films, "--labels", table, "--json", out)
    assert done.exit_code == 1
    assert json.loads(out.read_text())["left_out"] == {
        "this is no DICOM, PNG or JPEG file that can be read": 1,
        "the image is blank": 1,
        "there is no such file": 2,
    }
    assert "2 left out: there is no such file (gone.png, ../labels.csv)" in done.output


def test_where_all_labels_are_alike_it_is_said(cds: Any, films: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,Pneumonia,Nodule\n" + "".join(f"f{number},1,\n" for number in range(FILMS)))
    done = cds("evaluate", "--images", films, "--labels", table)
    assert done.exit_code == 0
    assert "No AUROC where the labels are all alike, or all unknown: Pneumonia, Nodule" in done.output


def test_notes_are_evaluated(cds: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes.csv"
    notes.write_text(
        "text,Pneumothorax,Effusion\n"
        "Large left pneumothorax after the fall.,1,0\n"
        "No pneumothorax. Lungs clear.,0,0\n"
        "Right pleural effusion with blunting.,0,1\n"
        "Tension pneumothorax suspected.,1,\n"
    )
    done = cds("evaluate", "--notes", notes, "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["bundle"]["kind"] == "note"
    assert written["findings"]["effusion"]["rows"] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("evaluate",), "give either --images"),
        (("evaluate", "--notes", "{table}"), "no column 'text'"),
        (
            ("evaluate", "--images", "{empty}", "--labels", "{table}"),
            "nothing could be scored: there is no such file",
        ),
        (("evaluate", "--images", "{empty}", "--labels", "{table}", "--bundle", "clinical-note"), "of kind note"),
        (
            ("evaluate", "--images", "{empty}", "--labels", "{table}", "--html", "{empty}/none/r.html"),
            "there is no such directory",
        ),
        (("show", "nothing"), "there is no bundle nothing"),
        (("show", "../chest"), "without a path"),
        (("add", "{empty}", "--name", "x", "--licence", "x", "--intended-use", "x"), "neither a Hugging Face"),
    ],
)
def test_a_refusal_is_a_sentence(cds: Any, tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"table": labels(tmp_path), "empty": tmp_path / "empty"}
    done = cds(*(argument.format(**places) for argument in arguments))
    assert done.exit_code == 2
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_the_bundles_are_listed_and_shown(cds: Any) -> None:
    assert "chest-radiograph\timage\t1.0.0\tin use" in cds("list").output
    assert "Digest: sha256:" in cds("show", "chest-radiograph").output
    assert json.loads(cds("show", "late-fusion", "--json").output)["kind"] == "fusion"
