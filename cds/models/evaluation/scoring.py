"""Labelled inputs through the path of the service, and what came of them.

A DICOM file goes through ``read_radiograph``, ``framed`` and the engine, as a film from the PACS does; a PNG or
JPEG file begins at ``framed``. The files of a CT go the way of a series. A note goes through ``prepare`` and the
engine; it is not de-identified: nothing is kept of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cds.engine.bundles import Bundle
from cds.engine.local import LocalEngine
from cds.engine.slices import SliceReader
from cds.errors import ImagingError, ModelError, NoteError
from cds.findings import PartScore
from cds.imaging.framing import OVERSAMPLING, framed
from cds.imaging.pictures import read_picture
from cds.imaging.pixels import read_radiograph
from cds.models.evaluation.folder import Folder
from cds.models.evaluation.measures import Measures, Vector, measured
from cds.models.evaluation.series import score_ct
from cds.models.evaluation.table import Table, read_table
from cds.models.selftest import engine_of
from cds.notes.reading import prepare
from cds.settings import Settings

Say = Callable[[str], None]

PROGRESS = {"images": 250, "series": 5, "notes": 250}
"""A word after so many rows."""
CUT_BY = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was scored, what was not and why, and the figures by finding."""

    bundle: Bundle
    source: str
    """``images``, ``series`` or ``notes``."""
    rows: int
    scored: int
    left_out: Mapping[str, tuple[str, ...]]
    """What could not be scored, by reason."""
    ignored: tuple[str, ...]
    """What the table has that is no finding of ours, and findings that the model does not look for."""
    measures: Mapping[str, Measures]
    points: Mapping[str, tuple[Vector, Vector]]
    """Scores and labels by finding, unknown labels left out: what the plots are made of."""

    @property
    def unknown(self) -> int:
        """Labels of what was scored that are blank or uncertain."""
        return sum(self.scored - one.rows for one in self.measures.values())

    @property
    def mean_auroc(self) -> float | None:
        """Over the findings that have one."""
        areas = [one.auroc for one in self.measures.values() if one.auroc is not None]
        return float(np.mean(areas)) if areas else None


def evaluate_images(settings: Settings, bundle: Bundle, directory: Path, labels: Path, say: Say) -> Evaluation:
    """Raise :class:`ModelError` where the table cannot be used, or nothing that it names can be scored."""
    table = read_table(labels)
    engine, folder = engine_of(settings, bundle.expect("image")), Folder(directory)

    def score(name: str) -> PartScore:
        data = folder.find(name, Path.is_file).read_bytes()
        return engine.score_image(framed(_pixels(data, bundle.input), bundle.input))

    return _evaluated(bundle, "images", table, score, say)


def evaluate_series(settings: Settings, bundle: Bundle, directory: Path, labels: Path, say: Say) -> Evaluation:
    """The same for a CT bundle: the table names folders, each with the files of one CT, or single files."""
    table = read_table(labels)
    reader, folder = SliceReader.load(bundle, settings.device), Folder(directory)

    def score(name: str) -> PartScore:
        return score_ct(bundle, reader, folder.find(name, Path.exists))

    return _evaluated(bundle, "series", table, score, say)


def evaluate_notes(settings: Settings, bundle: Bundle, notes: Path, say: Say) -> Evaluation:
    """Raise :class:`ModelError` where the table cannot be used, or none of its notes can be scored."""
    table = read_table(notes, text="text")
    engine: LocalEngine = engine_of(settings, bundle.expect("note"))

    def score(text: str) -> PartScore:
        if not (prepared := prepare([text])):
            raise NoteError("the note is empty")
        return engine.score_note(prepared)

    return _evaluated(bundle, "notes", table, score, say)


def _pixels(data: bytes, asked: Mapping[str, Any]) -> Any:
    if data[128:132] == b"DICM":
        return read_radiograph(data, at_least=OVERSAMPLING * asked["height"]).pixels
    return read_picture(data)


def _evaluated(
    bundle: Bundle, source: str, table: Table, score: Callable[[str], PartScore], say: Say
) -> Evaluation:
    compared = [key for key in table.labels if key in bundle.findings]
    if not compared:
        raise ModelError("the model looks for none of the findings in the table")
    if table.delimiter != ",":
        say(f"the table is read as cut by {CUT_BY[table.delimiter]}")
    left_out: dict[str, list[str]] = defaultdict(list)
    scored = dict(_scored(table, score, left_out, say, PROGRESS[source]))
    if not scored:
        raise ModelError(f"nothing could be scored: {_told(left_out)}")
    rows = np.fromiter(scored, dtype=np.int64)
    points = {}
    for key in compared:
        labels = table.labels[key][rows]
        probabilities = np.array([scored[row].probabilities[key] for row in rows])
        points[key] = probabilities[~np.isnan(labels)], labels[~np.isnan(labels)]
    thresholds = bundle.thresholds
    return Evaluation(
        bundle=bundle,
        source=source,
        rows=len(table.items),
        scored=len(scored),
        left_out={reason: tuple(items) for reason, items in left_out.items()},
        ignored=(*table.ignored, *(key for key in table.labels if key not in compared)),
        measures={
            key: measured(*point, threshold=thresholds[key].high, review=thresholds[key].review[0])
            for key, point in points.items()
        },
        points=points,
    )


def _scored(
    table: Table, score: Callable[[str], PartScore], left_out: dict[str, list[str]], say: Say, often: int
) -> Iterator[tuple[int, PartScore]]:
    """Each row that could be scored; of the others the reason, with the file's name or the row's number."""
    named = table.items if len(set(table.items)) == len(table.items) else None
    for row, item in enumerate(table.items):
        try:
            yield row, score(item)
        except (ImagingError, NoteError, OSError) as reason:
            kept = "the file cannot be read" if isinstance(reason, OSError) else str(reason)
            short = named is not None and 0 < len(item) <= 200 and "\n" not in item
            left_out[kept].append(item if short else f"row {row + 1}")
        if (row + 1) % often == 0:
            say(f"{row + 1} of {len(table.items)}")


def _told(left_out: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{reason} ({len(items)} of them, such as {items[0]})" for reason, items in left_out.items())
