"""An evaluation as text, as JSON and as one HTML page that asks nobody for anything."""

from __future__ import annotations

import base64
import html
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cds.errors import ModelError
from cds.findings import KNOWN_FINDINGS
from cds.models.evaluation.measures import INTERVAL, Measures
from cds.models.evaluation.scoring import Evaluation

HEADER = ("finding", "rows", "positive", "AUROC", "95 % interval", "AUPRC", "F1 high", "F1 review", "ECE")
EXAMPLES = 3

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}img{max-width:100%}"""


def check(json_file: Path | None, html_file: Path | None) -> None:
    """Raise :class:`ModelError` now rather than after an hour where the report could not be drawn, or written."""
    for file in filter(None, (json_file, html_file)):
        if not file.parent.is_dir():
            raise ModelError(f"the report cannot be written to {file}: there is no such directory")
    if html_file and importlib.util.find_spec("matplotlib") is None:
        raise ModelError("--html needs matplotlib: pip install 'sightline[evaluation]'")


def as_text(evaluation: Evaluation) -> str:
    """For the terminal."""
    lines = [list(HEADER), *(_cells(key, one) for key, one in evaluation.measures.items())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    table = ("  ".join(_aligned(line, widths)) for line in lines)
    return "\n".join([*_introduction(evaluation), "", *table, "", *_summary(evaluation)])


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    version = evaluation.bundle.version
    return {
        "bundle": {
            "name": version.name,
            "version": version.version,
            "kind": version.kind,
            "digest": version.digest,
        },
        "input": evaluation.source,
        "rows": evaluation.rows,
        "scored": evaluation.scored,
        "left_out": {reason: len(items) for reason, items in evaluation.left_out.items()},
        "unknown_labels": evaluation.unknown,
        "ignored": list(evaluation.ignored),
        "interval": INTERVAL,
        "mean_auroc": evaluation.mean_auroc,
        "findings": {key: asdict(one) for key, one in evaluation.measures.items()},
    }


def write(evaluation: Evaluation, json_file: Path | None, html_file: Path | None) -> None:
    """Write what was asked for, and beside the page its two pictures as PNG files."""
    try:
        if json_file:
            json_file.write_text(json.dumps(as_json(evaluation), indent=1) + "\n")
        if html_file:
            _write_page(evaluation, html_file)
    except OSError as wrong:
        raise ModelError(f"the report cannot be written to {wrong.filename}: {wrong.strerror}") from None


def _write_page(evaluation: Evaluation, file: Path) -> None:
    from cds.models.evaluation.plots import calibration_plot, roc_plot  # noqa: PLC0415 (matplotlib is an extra)

    pictures = {"roc": roc_plot(evaluation), "calibration": calibration_plot(evaluation)}
    for name, png in pictures.items():
        file.with_name(f"{file.stem}-{name}.png").write_bytes(png)
    file.write_text(_page(evaluation, pictures))


def _page(evaluation: Evaluation, pictures: dict[str, bytes]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADER)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(key, one)) + "</tr>"
        for key, one in evaluation.measures.items()
    )
    encoded = {name: base64.b64encode(png).decode() for name, png in pictures.items()}
    images = "".join(
        f'<h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{encoded[name]}">'
        for name, title in (("roc", "ROC curves"), ("calibration", "Calibration"))
    )
    said = "".join(f"<p>{html.escape(line)}</p>" for line in (*_introduction(evaluation), *_summary(evaluation)))
    title = html.escape(f"Evaluation of {evaluation.bundle.version.name}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1>{said}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{images}</body></html>\n"
    )


def _introduction(evaluation: Evaluation) -> Iterator[str]:
    version = evaluation.bundle.version
    yield f"{version.name} {version.version} (sha256:{version.digest})"
    yield f"{evaluation.scored} of {evaluation.rows} {evaluation.source} scored."
    for reason, items in evaluation.left_out.items():
        more = " …" if len(items) > EXAMPLES else ""
        yield f"{len(items)} left out: {reason} ({', '.join(items[:EXAMPLES])}{more})."


def _summary(evaluation: Evaluation) -> Iterator[str]:
    yield f"Mean AUROC over the findings that have one: {_figure(evaluation.mean_auroc)}."
    yield f"Interval: {INTERVAL}. F1 at the bundle's thresholds."
    if evaluation.unknown:
        yield f"Blank or uncertain (-1): {evaluation.unknown} labels, each left out of its finding."
    if one_class := [KNOWN_FINDINGS[key].display for key, one in evaluation.measures.items() if one.auroc is None]:
        yield f"No AUROC where the labels are all alike, or all unknown: {', '.join(one_class)}."
    if evaluation.ignored:
        yield f"Of the table not used: {', '.join(evaluation.ignored)}."


def _cells(key: str, one: Measures) -> list[str]:
    both = one.auroc_low is not None and one.auroc_high is not None
    return [
        KNOWN_FINDINGS[key].display,
        str(one.rows),
        str(one.positives),
        _figure(one.auroc),
        f"{_figure(one.auroc_low)} to {_figure(one.auroc_high)}" if both else "-",
        *(_figure(value) for value in (one.auprc, one.f1, one.f1_review, one.ece)),
    ]


def _aligned(line: list[str], widths: list[int]) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.rjust(width) if column else cell.ljust(width)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
