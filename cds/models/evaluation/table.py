"""A CSV of labels: the first column names a file, or one column holds a text; the others are findings.

In the place of columns of findings there may be one that lists those of each row, as ChestX-ray14 has it:
``Effusion|Mass``, or ``No Finding``.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cds.errors import ModelError
from cds.models.labels import column, finding

YES = frozenset({"1", "1.0", "true", "yes", "y", "positive"})
NO = frozenset({"0", "0.0", "false", "no", "n", "negative"})
UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "none", "unknown", "uncertain", "-1", "-1.0"})
"""-1 is how CheXpert and MIMIC-CXR write that a report left it open."""
LISTS = ("finding labels", "finding label", "findings", "finding", "labels", "label", "diagnosis", "class")
"""What a column that lists findings may be called."""
SEPARATOR = "|"
NOTHING = frozenset({"no finding", "no findings", "normal", "healthy"})
"""What stands in such a column where there is no finding."""
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""By which a file says how it is encoded: Excel writes one before each."""

Labels = dict[str, NDArray[np.float64]]
Line = tuple[int, list[str]]
"""A row of the file, and the number of its line."""


@dataclass(frozen=True, slots=True)
class Table:
    """``labels`` by finding, one per row: 1, 0, or ``nan`` where nobody knows."""

    items: tuple[str, ...]
    """File names or texts, one per row."""
    labels: Labels
    ignored: tuple[str, ...]
    """Columns, or words of the one that lists findings, that are no finding of ours."""
    delimiter: str = ","
    """What was taken to stand between columns."""


def read_table(file: Path, *, text: str | None = None) -> Table:
    """``text``: the column that holds the notes; ``None``: the first column names files.

    Raises :class:`ModelError` naming the line where something is wrong.
    """
    header, rows, delimiter = _rows(file)
    place = _column(file, header, text) if text is not None else 0
    others = {number: name for number, name in enumerate(header) if number != place}
    items = tuple(row[place].strip() for _, row in rows)
    if text is None:
        _check_names(file, [line for line, _ in rows], items)
    if any(map(column, others.values())):
        return _known(file, Table(items, *_in_columns(file, others, rows), delimiter))
    lists = [number for number, name in others.items() if name.lower() in LISTS]
    if not lists:
        raise ModelError(f"{file.name}: none of its columns is a finding of ours; {_told(header)}")
    return _known(file, Table(items, *_listed(file, others, lists[0], rows), delimiter))


def _column(file: Path, header: list[str], name: str) -> int:
    """Where the one column of this name stands."""
    places = [place for place, written in enumerate(header) if written.lower() == name]
    if not places:
        raise ModelError(f"{file.name} has no column {name!r}; {_told(header)}")
    if len(places) > 1:
        raise ModelError(f"{file.name}: several columns are called {name!r}")
    return places[0]


def _told(header: list[str]) -> str:
    names = ", ".join(name[:40] for name in header[:20])
    return f"its first line, cut by commas (or by semicolons, or tabs), names {names or 'nothing'}"


def _known(file: Path, table: Table) -> Table:
    """``table``, if it says anything."""
    if all(np.isnan(labels).all() for labels in table.labels.values()):
        raise ModelError(f"{file.name}: every label is empty or unknown")
    return table


def _in_columns(file: Path, columns: Mapping[int, str], rows: list[Line]) -> tuple[Labels, tuple[str, ...]]:
    """The labels where each finding has a column, and the columns that are none."""
    findings = {number: key for number, name in columns.items() if (key := column(name))}
    if twice := [key for key, count in Counter(findings.values()).items() if count > 1]:
        raise ModelError(f"{file.name}: several columns mean {twice[0]}")
    labels = {
        key: np.array([_label(file, line, columns[number], row[number]) for line, row in rows])
        for number, key in findings.items()
    }
    return labels, tuple(name for number, name in columns.items() if name and number not in findings)


def _listed(
    file: Path, columns: Mapping[int, str], place: int, rows: list[Line]
) -> tuple[Labels, tuple[str, ...]]:
    """The labels where the column ``place`` lists what a row shows: it does not show what is not listed."""
    lists = [[word.strip() for word in row[place].split(SEPARATOR) if word.strip()] for _, row in rows]
    words = dict.fromkeys(word for words in lists for word in words)
    keys = {word: key for word in words if (key := finding(word))}
    if not keys:
        raise ModelError(f"{file.name}: its column {columns[place]} lists no finding of ours")
    found = [{keys[word] for word in words if word in keys} for words in lists]
    labels = {
        key: np.array([float(key in has) if words else np.nan for has, words in zip(found, lists, strict=True)])
        for key in dict.fromkeys(keys.values())
    }
    strange = tuple(word for word in words if word not in keys and word.lower() not in NOTHING)
    return labels, (*(name for number, name in columns.items() if name and number != place), *strange)


def _rows(file: Path) -> tuple[list[str], list[Line], str]:
    """The header, each row that is not empty with its line number, and what stands between columns."""
    csv.field_size_limit(min(sys.maxsize, 16 * 1024 * 1024))
    text = _text(file)
    delimiter = _delimiter(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as wrong:
        raise ModelError(f"{file.name} is no CSV file that can be read: {wrong}") from None
    if not rows:
        raise ModelError(f"{file.name} has no rows")
    for line, row in rows:
        if len(row) != len(header):
            raise ModelError(f"{file.name}, line {line}: {len(row)} values for {len(header)} columns")
    return header, rows, delimiter


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as wrong:
        raise ModelError(f"{file.name} cannot be read: {wrong.strerror}") from None
    if data.startswith(b"PK"):
        raise ModelError(f"{file.name} is a workbook or an archive, not a CSV file; save its sheet as CSV")
    try:
        return data.decode(next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8"))
    except UnicodeDecodeError:
        raise ModelError(f"{file.name} is no CSV file in UTF-8 or UTF-16; save it as one in UTF-8") from None


def _delimiter(text: str) -> str:
    """What the first line is cut by most often: Excel writes semicolons where the comma is the decimal point."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _check_names(file: Path, lines: list[int], names: tuple[str, ...]) -> None:
    seen: dict[str, int] = {}
    for line, name in zip(lines, names, strict=True):
        if not name:
            raise ModelError(f"{file.name}, line {line}: the first column names no file")
        if name in seen:
            raise ModelError(f"{file.name}, line {line}: {name} stands in line {seen[name]} already")
        seen[name] = line


def _label(file: Path, line: int, column: str, value: str) -> float:
    said = value.strip().lower()
    if said in YES:
        return 1.0
    if said in NO:
        return 0.0
    if said in UNKNOWN:
        return float("nan")
    raise ModelError(f"{file.name}, line {line}, column {column}: {value[:40]!r} is neither 1, 0 nor empty")
