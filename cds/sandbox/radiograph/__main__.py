"""``python -m cds.sandbox.radiograph OUT_DIR``: a labelled set of synthetic films for training."""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cds.sandbox.radiograph import TRAINING_SEEDS, Sex, View, render
from cds.sandbox.radiograph.findings import PAINTERS

NORMAL_SHARE = 0.45
COLUMNS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
"""The findings in the order and spelling of NIH ChestX-ray14's labels."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    options.directory.mkdir(parents=True, exist_ok=True)
    with (options.directory / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image_id", "patient_id", "view", "age", "sex", *COLUMNS, "no_finding"])
        for seed in range(options.seed, options.seed + options.count):
            view, sex, age, findings = draw_case(seed)
            film = render(seed, size=(options.size, options.size), findings=findings, view=view, sex=sex)
            image = f"synthetic_{seed:08d}"
            Image.fromarray((film >> 4).astype(np.uint8)).save(options.directory / f"{image}.png")
            present = [int(column.lower() in findings) for column in COLUMNS]
            table.writerow([image, seed, view, age, sex, *present, int(not findings)])


def draw_case(seed: int) -> tuple[View, Sex, int, dict[str, float]]:
    """View, sex, age and findings of one training film: about 45 % normal, the others with one or two findings."""
    rng = np.random.default_rng([seed, 14])
    view: View = "AP" if rng.random() < 0.35 else "PA"
    sex: Sex = "F" if rng.random() < 0.47 else "M"
    age = int(np.clip(rng.normal(52, 17), 18, 92))
    if rng.random() < NORMAL_SHARE:
        return view, sex, age, {}
    drawn = rng.choice(sorted(PAINTERS), size=1 + int(rng.random() < 0.3), replace=False)
    return view, sex, age, {str(key): float(rng.uniform(0.15, 1)) for key in drawn}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cds.sandbox.radiograph", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="OUT_DIR")
    parser.add_argument("--count", type=_whole(1), default=100)
    parser.add_argument(
        "--seed", type=_whole(0), default=TRAINING_SEEDS, help="of the first film (default %(default)s)"
    )
    parser.add_argument("--size", type=_whole(64), default=320, help="rows and columns (default %(default)s)")
    return parser.parse_args(arguments)


def _whole(least: int) -> type[int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}")
        return int(text)

    return parse  # type: ignore[return-value]


if __name__ == "__main__":
    main()
