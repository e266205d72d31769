"""Whether saliency looks where a radiologist drew: ``python -m training.image.boxes --data DIR --boxes FILE``.

``FILE`` is ``BBox_List_2017.csv``, which the NIH Clinical Center published with ChestX-ray14 (Wang et al., CVPR
2017). Only films that the image model was not trained on are looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader
from cds.imaging.framing import framed, placement
from cds.imaging.overlay import on_film
from cds.imaging.smoothing import Pixels
from training.image.films import KEYS, grey, read_nih, split

PUBLISHED = 1024
"""Rows and columns of the films that the boxes were drawn on."""
OTHERWISE_CALLED = {"infiltrate": "infiltration"}


@dataclass(frozen=True, slots=True)
class Box:
    """Where on the film ``name`` a finding is, as shares of its width and height from the upper left."""

    name: str
    finding: str
    left: float
    top: float
    right: float
    bottom: float

    def of(self, film: Pixels) -> tuple[slice, slice]:
        """The rows and columns of ``film`` within."""
        height, width = film.shape
        rows = slice(int(self.top * height), int(np.ceil(self.bottom * height)))
        return rows, slice(int(self.left * width), int(np.ceil(self.right * width)))


@dataclass(frozen=True, slots=True)
class Looked:
    """How one map fits its box: is its strongest place within, and which share of it is; ``area``: by chance."""

    hit: bool
    mass: float
    area: float


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    folder = arguments.data / "nih"
    films = split(read_nih(folder))
    held_out = {*films.validation.names.tolist(), *films.test.names.tolist()}
    boxes = [box for box in read_boxes(arguments.boxes) if box.name in held_out]
    reader = ImageReader.load(Bundle.load(arguments.bundle), "cpu")
    looked = by_finding(reader, boxes, {box.name: grey(folder, box.name) for box in boxes})
    print("\n".join(_table(looked)))
    if arguments.json:
        told = {finding: [asdict(one) for one in ones] for finding, ones in looked.items()}
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")


def read_boxes(path: Path) -> list[Box]:
    """Each line of the published list: a file, a finding, then left, top, width and height in pixels."""
    with path.open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    return [_box(line[0], line[1], *map(float, line[2:6])) for line in lines]


def _box(file: str, called: str, left: float, top: float, width: float, height: float) -> Box:
    finding = OTHERWISE_CALLED.get(called.lower(), called.lower())
    edges = (left, top, left + width, top + height)
    return Box(Path(file).stem, finding, *(edge / PUBLISHED for edge in edges))


def by_finding(reader: ImageReader, boxes: Iterable[Box], films: Mapping[str, Pixels]) -> dict[str, list[Looked]]:
    """In the order of the findings; a film with two boxes of one finding counts twice."""
    looked: dict[str, list[Looked]] = defaultdict(list)
    for box in boxes:
        looked[box.finding].append(_looked(reader, box, films[box.name]))
    return {key: looked[key] for key in KEYS if looked[key]}


def _looked(reader: ImageReader, box: Box, film: Pixels) -> Looked:
    asked = reader.bundle.input
    saliency = reader.explain(framed(film, asked), box.finding)
    there = on_film(saliency, placement(film, asked), film.shape)
    inside = np.zeros(film.shape, bool)
    inside[box.of(film)] = True
    strongest = np.unravel_index(there.argmax(), there.shape)
    total = float(there.sum())
    mass = float(there[inside].sum()) / total if total else 0.0
    return Looked(hit=bool(total and inside[strongest]), mass=mass, area=float(inside.mean()))


def _table(looked: Mapping[str, list[Looked]]) -> Iterator[str]:
    yield "| finding | boxes | strongest place within | mass within | area of the box |"
    yield "|---|---|---|---|---|"
    every = [one for ones in looked.values() for one in ones]
    for name, ones in [*looked.items(), ("all", every)]:
        if ones:
            mass, area = (float(np.mean([getattr(one, part) for one in ones])) for part in ("mass", "area"))
            yield f"| {name} | {len(ones)} | {sum(one.hit for one in ones)} | {mass:.2f} | {area:.2f} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.image.boxes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/labels.csv and nih/images")
    parser.add_argument("--boxes", type=Path, required=True, metavar="FILE", help="BBox_List_2017.csv")
    parser.add_argument("--bundle", type=Path, default=Path("models/chest-radiograph"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each film's figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
