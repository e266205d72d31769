"""Train the image bundle: ``python -m training.image --data DIR --out models/chest-radiograph``."""

from __future__ import annotations

import argparse
import copy
import logging
from pathlib import Path

import numpy as np
import torch

from cds.engine.architectures import EfficientNetLiteConfig, EfficientNetLiteForImageClassification
from cds.sandbox.radiograph import TRAINING_SEEDS
from training.bundle import Bundle, write_bundle
from training.calibration import platt
from training.image.films import KEYS, SIZE, Films, read_nih, split
from training.image.fit import MEAN, STD, Schedule, fit, logits
from training.image.pretrained import load_imagenet
from training.image.report import Scored, card
from training.image.synthetic import HELD_OUT_SEEDS, synthetic

log = logging.getLogger(__name__)
CARD = Path(__file__).with_name("card.md")
VERSION = "1.0.0"


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    films = split(read_nih(arguments.data / "nih"))
    schedule = Schedule(head=(64,), cycles=((64,),), max_batches=2) if arguments.smoke else Schedule()

    if not arguments.trained:
        model = trained(_with_synthetic(films.train, arguments), schedule)
        _save(model, arguments.out)
    model = _loaded(arguments.out)

    validation = scored(model, films.validation)
    calibration = {
        key: platt(z, y) for key, z, y in zip(KEYS, validation.logits.T, films.validation.labels.T, strict=True)
    }
    unseen = scored(model, synthetic(arguments.unseen, HELD_OUT_SEEDS, arguments.cache))
    log.info("mean AUROC: validation %.3f, synthetic %.3f", validation.macro, unseen.macro)
    control = scored(_loaded(arguments.control), films.test) if arguments.control else None
    text = card(CARD, scored(model, films.test), unseen, calibration, control)
    log.info("bundle %s", write_bundle(arguments.out, _bundle(calibration, validation), text))


def _with_synthetic(films: Films, arguments: argparse.Namespace) -> Films:
    if not arguments.synthetic:
        return films
    return films.joined(synthetic(arguments.synthetic, TRAINING_SEEDS, arguments.cache))


def scored(model: EfficientNetLiteForImageClassification, films: Films) -> Scored:
    return Scored(films, logits(model, films))


def trained(films: Films, schedule: Schedule) -> EfficientNetLiteForImageClassification:
    """A network fitted to ``films``; the same films give the same network but for the rounding of threads."""
    torch.manual_seed(0)
    names = dict(enumerate(KEYS))
    config = EfficientNetLiteConfig(id2label=names, label2id={key: i for i, key in names.items()})
    model = EfficientNetLiteForImageClassification(config)
    load_imagenet(model)
    fit(model, films, schedule)
    return model


def _save(model: EfficientNetLiteForImageClassification, folder: Path) -> None:
    """Sixteen bits on disk; the configuration asks for the 32 that the model is run with."""
    half = copy.deepcopy(model).to(memory_format=torch.contiguous_format).half()
    half.save_pretrained(folder)
    model.config.dtype = torch.float32
    model.config.save_pretrained(folder)


def _loaded(folder: Path) -> EfficientNetLiteForImageClassification:
    model = EfficientNetLiteForImageClassification.from_pretrained(folder, dtype=torch.float32)
    return model.to(memory_format=torch.channels_last)


def _bundle(calibration: dict[str, dict[str, float]], validation: Scored) -> Bundle:
    probabilities = validation.probabilities(calibration)
    return Bundle(
        name="chest-radiograph",
        version=VERSION,
        kind="image",
        findings=KEYS,
        input={"width": SIZE, "height": SIZE, "channels": 1, "mean": [MEAN], "std": [STD]},
        calibration=calibration,
        baseline={
            key: {"mean": round(float(np.mean(p)), 4), "std": round(float(np.std(p)), 4)}
            for key, p in zip(KEYS, probabilities.T, strict=True)
        },
        licence="Apache-2.0; data: NIH Clinical Center, Wang et al., CVPR 2017",
        intended_use="Demonstration of the service on frontal chest radiographs of adults; not a medical device.",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.image", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with nih/labels.csv and nih/images")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--cache", type=Path, default=Path(".data/films"), help="where drawn films are kept")
    parser.add_argument("--synthetic", type=int, default=480, help="how many synthetic films to train on")
    parser.add_argument("--unseen", type=int, default=120, help="how many synthetic films to judge by")
    parser.add_argument("--trained", action="store_true", help="only calibrate and measure what lies in --out")
    parser.add_argument("--control", type=Path, help="a bundle made with --synthetic 0, to compare with")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="two batches only: proves that the script runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
