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
    table = read_table(written(tmp_path, f"f,Mass\na,{value}\nb,1\n"))
    np.testing.assert_array_equal(table.labels["mass"], [label, 1])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_be_as_excel_writes_it(tmp_path: Path, delimiter: str) -> None:
    rows = (("file", "Pneumonia", "Pleural effusion, any"), ("a.png", "1", "0"))
    quoted = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    table = read_table(written(tmp_path, quoted))
    assert (table.items, list(table.labels["pneumonia"])) == (("a.png",), [1])
    assert table.ignored == ("Pleural effusion, any",)
    assert table.delimiter == delimiter


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_may_be_encoded_as_excel_does_it(tmp_path: Path, encoding: str) -> None:
    table = read_table(written(tmp_path, "Bild;Mass;Größe\r\nä.png;1;3\r\n".encode(encoding)))
    assert (table.items, list(table.labels["mass"]), table.ignored) == (("ä.png",), [1], ("Größe",))


def test_one_column_may_list_what_there_is_as_in_chestx_ray14(tmp_path: Path) -> None:
    table = read_table(
        written(
            tmp_path,
            "Image Index,Finding Labels,Patient ID,\n"
            "a.png,Effusion|Mass,1,\nb.png,No Finding,1,\nc.png,Mass|COVID-19,2,\nd.png,,3,\n",
        )
    )
    assert table.items == ("a.png", "b.png", "c.png", "d.png")
    np.testing.assert_array_equal(table.labels["effusion"], [1, 0, 0, np.nan])
    np.testing.assert_array_equal(table.labels["mass"], [1, 0, 1, np.nan])
    assert table.ignored == ("Patient ID", "COVID-19")


def test_where_findings_have_columns_a_list_of_them_is_not_read(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "f,Finding Labels,Mass\na,Effusion,1\n"))
    assert list(table.labels) == ["mass"]
    assert table.ignored == ("Finding Labels",)


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
        (b"f,Mass\n\xff\xfe,1\n", "save it as one in UTF-8"),
        (b"PK\x03\x04workbook", "save its sheet as CSV"),
        ("f,label\na,1\nb,0\n", "its column label lists no finding of ours"),
        ("f,Mass;Nodule\na,1;0\n", "none of its columns is a finding of ours; its first line, cut by commas"),
        ("f,Mass\na,\nb,-1\n", "every label is empty or unknown"),
    ],
)
def test_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        read_table(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("note,Mass\na,1\n", "no column 'text'; its first line, cut by commas .*, names note, Mass"),
        ("text|Mass\na|1\n", "no column 'text'"),
        ("text,Text,Mass\na,b,1\n", "several columns are called 'text'"),
    ],
)
def test_notes_without_one_text_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        read_table(written(tmp_path, text), text="text")
