"""A CT bundle of the right shape whose weights mean nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import ResNetConfig, ResNetForImageClassification

from cds.engine.active import FILE, with_choice
from cds.engine.bundles import Bundle
from cds.models.adding import Wishes, add
from cds.settings import PACKAGE_ROOT, Settings

HEAD = {
    "modality": "CT",
    "body_part": "head",
    "height": 64,
    "width": 64,
    "channels": 3,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "fit": "fill",
    "windows": [
        {"center": 40, "width": 80},
        {"center": 80, "width": 200},
        {"center": 600, "width": 2800},
    ],
    "top_slices": 2,
}
"""Brain, subdural and bone."""


def with_shipped_models(settings: Settings, home: Path) -> Settings:
    """A models directory of its own under ``home``."""
    models = home / "models"
    models.mkdir()
    for shipped in (PACKAGE_ROOT / "models").iterdir():
        (models / shipped.name).symlink_to(shipped)
    return replace(settings, models_dir=models, device="cpu")


def untrained_bundle(settings: Settings, home: Path, **input: Any) -> Bundle:
    """A CT bundle of the head with random weights, made as anybody makes one; every head bleeds to it."""
    torch.manual_seed(3)
    labels = ("Intracranial hemorrhage", "Fracture of skull")
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        id2label=dict(enumerate(labels)),
        label2id={label: n for n, label in enumerate(labels)},
        problem_type="multi_label_classification",
    )
    model = ResNetForImageClassification(config)
    torch.nn.init.normal_(model.classifier[1].weight, std=3.0)
    model.save_pretrained(home / "resnet")
    wishes = Wishes(
        name="head-ct",
        licence="Apache-2.0",
        intended_use="Shows the way of a CT through the service; its scores mean nothing.",
        input=HEAD | input,
        thresholds={"hemorrhage": {"high": 0.0, "review": [0.0, 0.0]}},
        untrained=True,
    )
    return add(settings, home / "resnet", wishes, lambda line: None)


def in_use_as_if_trained(settings: Settings, home: Path) -> Bundle:
    """The same, activated by somebody who claims that it says something."""
    made = untrained_bundle(settings, home)
    (made.directory / "bundle.json").write_text(json.dumps({**made.manifest, "untrained": False}))
    bundle = Bundle.load(made.directory)
    (settings.models_dir / FILE).write_text(with_choice(settings.models_dir, bundle))
    return bundle
