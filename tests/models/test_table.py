"""A CSV of labels is taken as it is meant, or refused with the line where it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cds.errors import ModelError
from cds.models.evaluation.table import read_table


def written(directory: Path, text: str | bytes) -> Path:
    file = directory / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_findings_are_known_by_name_and_the_rest_is_ignored(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "\ufeffimage,age,Pleural Effusion,Mass\na.png,40,1,0\n\nb.png,50,,NA\n"))
    assert table.items == ("a.png", "b.png")
    assert table.ignored == ("age",)
    np.testing.assert_array_equal(table.labels["effusion"], [1, np.nan])
    np.testing.assert_array_equal(table.labels["mass"], [0, np.nan])


@pytest.mark.parametrize(("value", "label"), [("1", 1), ("0.0", 0), ("TRUE", 1), ("no", 0), ("-1", np.nan)])
def test_a_label_may_be_written_in_several_ways(tmp_path: Path, value: str, label: float) -> None:
    np.testing.assert_array_equal(read_table(written(tmp_path, f"f,Mass\na,{value}\n")).labels["mass"], [label])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_be_as_excel_writes_it(tmp_path: Path, delimiter: str) -> None:
    rows = (("file", "Pneumonia", "Pleural effusion, any"), ("a.png", "1", "0"))
    quoted = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    table = read_table(written(tmp_path, quoted))
    assert (table.items, list(table.labels["pneumonia"])) == (("a.png",), [1])
    assert table.ignored == ("Pleural effusion, any",)


def test_a_fracture_is_of_whatever_the_model_looks_at(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "series,Fracture,Fracture of skull\na,1,0\n"))
    assert {key: list(labels) for key, labels in table.labels.items()} == {"fracture": [1], "skull_fracture": [0]}


def test_notes_stand_in_the_column_text(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'id,text,Mass\n1,"Line one,\nline two.",1\n'), text="text")
    assert table.items == ("Line one,\nline two.",)
    assert table.ignored == ("id",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no rows"),
        ("f,Mass\n", "no rows"),
        ("f,colour\na,1\n", "none of its columns"),
        ("f,Mass\na,maybe\n", "line 2, column Mass: 'maybe'"),
        ("f,Mass\na,1\nb\n", "line 3: 1 values for 2 columns"),
        ("f,Mass\na,1\na,0\n", "line 3: a stands in line 2 already"),
        ("f,Mass\n,1\n", "line 2: the first column names no file"),
        ("f,Mass,lung mass\na,1,1\n", "several columns mean mass"),
        ('f,Mass\n"a,1\n', "no CSV file"),
        (b"f,Mass\n\xff\xfe,1\n", "no CSV file"),
    ],
)
def test_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        read_table(written(tmp_path, text))


def test_notes_without_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no column 'text'"):
        read_table(written(tmp_path, "note,Mass\na,1\n"), text="text")
