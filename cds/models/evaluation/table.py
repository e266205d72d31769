"""A CSV of labels: the first column names a file, or one column holds a text; the others are findings."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cds.errors import ModelError
from cds.models.labels import column

YES = frozenset({"1", "1.0", "true", "yes", "y", "positive"})
NO = frozenset({"0", "0.0", "false", "no", "n", "negative"})
UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "none", "unknown", "uncertain", "-1", "-1.0"})
"""-1 is how CheXpert and MIMIC-CXR write that a report left it open."""


@dataclass(frozen=True, slots=True)
class Table:
    """``labels`` by finding, one per row: 1, 0, or ``nan`` where nobody knows."""

    items: tuple[str, ...]
    """File names or texts, one per row."""
    labels: dict[str, NDArray[np.float64]]
    ignored: tuple[str, ...]
    """Columns that are no finding of ours."""


def read_table(file: Path, *, text: str | None = None) -> Table:
    """``text``: the column that holds the notes; ``None``: the first column names files.

    Raises :class:`ModelError` naming the line where something is wrong.
    """
    header, rows = _rows(file)
    if text is not None and text not in header:
        raise ModelError(f"{file.name} has no column {text!r}; it has {', '.join(header)}")
    place = header.index(text) if text is not None else 0
    columns = {number: column(name) for number, name in enumerate(header) if number != place}
    findings = {number: key for number, key in columns.items() if key}
    if not findings:
        raise ModelError(f"{file.name}: none of its columns is a finding of ours ({', '.join(header)})")
    if twice := [key for key, count in Counter(findings.values()).items() if count > 1]:
        raise ModelError(f"{file.name}: several columns mean {twice[0]}")
    items = tuple(row[place].strip() for _, row in rows)
    if text is None:
        _check_names(file, [line for line, _ in rows], items)
    labels = {
        key: np.array([_label(file, line, header[number], row[number]) for line, row in rows])
        for number, key in findings.items()
    }
    ignored = tuple(header[number] for number, key in columns.items() if not key)
    return Table(items, labels, ignored)


def _rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row that is not empty with its line number."""
    csv.field_size_limit(min(sys.maxsize, 16 * 1024 * 1024))
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, delimiter=_delimiter(lines), strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise ModelError(f"{file.name} is no CSV file that can be read: {wrong}") from None
    if not rows:
        raise ModelError(f"{file.name} has no rows")
    for line, row in rows:
        if len(row) != len(header):
            raise ModelError(f"{file.name}, line {line}: {len(row)} values for {len(header)} columns")
    return header, rows


def _delimiter(lines: TextIO) -> str:
    """What the first line is cut by most often: Excel writes semicolons where the comma is the decimal point."""
    first = lines.readline()
    lines.seek(0)
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
