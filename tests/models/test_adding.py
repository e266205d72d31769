"""A model of another form becomes a bundle that scores as the model did, or is refused and leaves nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, ResNetForImageClassification

from cds.engine.architectures import DenseNet121Config, DenseNet121ForImageClassification
from cds.errors import ModelError
from cds.models.adding import Wishes, add
from cds.models.labels import CHESTXRAY14, TORCHXRAYVISION
from cds.models.selftest import engine_of
from cds.settings import Settings

PICTURE = np.random.default_rng(5).random((224, 224), dtype=np.float32)

Directory = Callable[..., Path]


def say(line: str) -> None:
    """Nobody listens."""


def densenet(channels: int, outputs: int) -> DenseNet121ForImageClassification:
    torch.manual_seed(2)
    config = DenseNet121Config(num_channels=channels)
    config.num_labels = outputs
    model = DenseNet121ForImageClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=0.2)
    return model.eval()


def logits(model: Any, picture: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(pixel_values=torch.from_numpy(picture)[None]).logits[0].numpy()


# Hugging Face


def test_an_image_classifier_scores_as_before(
    settings: Settings, wishes: Wishes, image_directory: Directory
) -> None:
    directory = image_directory("Cat", "Pleural effusion", "Pneumonia", problem_type="multi_label_classification")
    (directory / "preprocessor_config.json").write_text(
        json.dumps(
            {"size": {"height": 96, "width": 64}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.2, 0.2]}
        )
    )
    bundle = add(settings, directory, wishes, say)
    assert bundle.findings == ("effusion", "pneumonia")
    assert (bundle.input["height"], bundle.input["width"], bundle.input["fit"]) == (96, 64, "fill")
    picture = PICTURE[:96, :64]
    normal = (np.stack([picture] * 3) - np.reshape([0.4, 0.5, 0.6], (3, 1, 1))) / 0.2
    expected = 1 / (
        1 + np.exp(-logits(ResNetForImageClassification.from_pretrained(directory).eval(), normal.astype("f4")))
    )
    scores = engine_of(settings, bundle).score_image(picture).probabilities
    assert scores == pytest.approx({"effusion": expected[1], "pneumonia": expected[2]}, abs=1e-5)


def test_classes_that_exclude_each_other_share_the_probability(
    settings: Settings, wishes: Wishes, image_directory: Directory
) -> None:
    directory = image_directory("NORMAL", "PNEUMONIA")
    bundle = add(settings, directory, wishes, say)
    normal = ((np.stack([PICTURE] * 3) - 0.5) / 0.5).astype("f4")
    raw = logits(ResNetForImageClassification.from_pretrained(directory).eval(), normal)
    expected = math.exp(raw[1]) / (math.exp(raw[0]) + math.exp(raw[1]))
    assert engine_of(settings, bundle).score_image(PICTURE).probabilities["pneumonia"] == pytest.approx(
        expected, abs=1e-5
    )


def test_a_text_classifier_scores_as_before(settings: Settings, wishes: Wishes, note_directory: Directory) -> None:
    directory = note_directory("Effusion", "Pneumonia", problem_type="multi_label_classification")
    bundle = add(settings, directory, wishes, say)
    assert bundle.version.kind == "note"
    assert bundle.input["max_tokens"] == 64
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    with torch.inference_mode():
        raw = model(input_ids=torch.tensor([[2, 10, 7, 3]])).logits[0].tolist()
    scores = engine_of(settings, bundle).score_note("large effusion").probabilities
    assert scores == pytest.approx(
        {"effusion": 1 / (1 + math.exp(-raw[0])), "pneumonia": 1 / (1 + math.exp(-raw[1]))}
    )


def test_a_directory_without_a_classifier_is_refused(
    settings: Settings, wishes: Wishes, note_directory: Directory
) -> None:
    directory = note_directory("Effusion", "Pneumonia")
    model = AutoModelForSequenceClassification.from_pretrained(directory)
    model.bert.save_pretrained(directory)
    with pytest.raises(ModelError, match="lacks weights of a classifier"):
        add(settings, directory, wishes, say)


# DenseNet-121


def test_torchxrayvision_keeps_its_range_and_its_operating_points(
    settings: Settings, wishes: Wishes, tmp_path: Path
) -> None:
    model = densenet(1, len(TORCHXRAYVISION))
    points = torch.linspace(0.1, 0.7, len(TORCHXRAYVISION))
    points[TORCHXRAYVISION.index("Hernia")] = math.nan
    save_file({**model.state_dict(), "op_threshs": points}, tmp_path / "xrv.safetensors")
    bundle = add(settings, tmp_path / "xrv.safetensors", wishes, say)
    assert "hernia" not in bundle.findings
    raw = 1 / (1 + np.exp(-logits(model, (PICTURE[None] * 2 - 1) * 1024)))
    scores = engine_of(settings, bundle).score_image(PICTURE).probabilities
    for key, label in (("effusion", "Effusion"), ("mass", "Mass"), ("atelectasis", "Atelectasis")):
        p, point = raw[TORCHXRAYVISION.index(label)], float(points[TORCHXRAYVISION.index(label)])
        expected = p / (2 * point) if p < point else 1 - (1 - p) / (2 * (1 - point))
        assert scores[key] == pytest.approx(expected, abs=1e-4)
    assert bundle.thresholds["mass"].review[0] == 0.5


def chexnet(model: DenseNet121ForImageClassification) -> Mapping[str, torch.Tensor]:
    """The names of the published checkpoint: data parallel, an old torchvision, a sigmoid at the end."""
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): t for name, t in model.state_dict().items()
    }
    return {
        "module.densenet121." + name.replace("classifier.", "classifier.0."): tensor
        for name, tensor in old.items()
        if not name.endswith("num_batches_tracked")
    }


def test_chexnet_loads_under_its_old_names(settings: Settings, wishes: Wishes, tmp_path: Path) -> None:
    model = densenet(3, len(CHESTXRAY14))
    torch.save({"epoch": 1, "state_dict": chexnet(model)}, tmp_path / "m.pth.tar")
    bundle = add(settings, tmp_path / "m.pth.tar", replace(wishes, allow_pickle=True), say)
    mean, std = (np.reshape(bundle.input[name], (3, 1, 1)) for name in ("mean", "std"))
    raw = logits(model, ((PICTURE[None] - mean) / std).astype("f4"))
    scores = engine_of(settings, bundle).score_image(PICTURE).probabilities
    for output, label in enumerate(CHESTXRAY14):
        assert scores[label.lower()] == pytest.approx(1 / (1 + math.exp(-raw[output])), abs=1e-4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors: tensors.pop("features.norm5.weight"), "lacks 1 tensors"),
        (lambda tensors: tensors.pop("features.conv0.weight"), "not the state dict"),
        (lambda tensors: tensors.update({"features.norm5.bias": torch.zeros(3)}), "has the shape"),
        (lambda tensors: tensors["features.norm5.bias"].fill_(math.nan), "no probabilities"),
        (lambda tensors: tensors["classifier.weight"].zero_(), "same scores whatever"),
    ],
)
def test_a_state_dict_that_is_not_sound_leaves_nothing_behind(
    settings: Settings,
    wishes: Wishes,
    tmp_path: Path,
    change: Callable[[dict[str, torch.Tensor]], Any],
    reason: str,
) -> None:
    tensors = dict(densenet(1, 14).state_dict())
    change(tensors)
    save_file(tensors, tmp_path / "m.safetensors")
    before = set(settings.models_dir.iterdir())
    with pytest.raises(ModelError, match=reason):
        add(settings, tmp_path / "m.safetensors", wishes, say)
    assert set(settings.models_dir.iterdir()) == before


# Pickles


class Program:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_a_pickle_is_not_opened(
    settings: Settings, wishes: Wishes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"x": Program()}, "m.pt")
    with pytest.raises(ModelError, match="--allow-pickle"):
        add(settings, Path("m.pt"), wishes, say)
    assert not Path("ran").exists()


def test_tensors_are_tried_before_programs(
    settings: Settings, wishes: Wishes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    torch.save(densenet(1, 14).state_dict(), "tensors.pt")
    add(settings, Path("tensors.pt"), replace(wishes, allow_pickle=True), said.append)
    assert not any("any program" in line for line in said)
    torch.save({"x": Program()}, "program.pt")
    with pytest.raises(ModelError, match="no state dict"):
        add(settings, Path("program.pt"), replace(wishes, name="other", allow_pickle=True), said.append)
    assert any("any program" in line for line in said)


def test_weights_of_hugging_face_that_are_a_pickle_are_not_opened(
    settings: Settings, wishes: Wishes, image_directory: Directory
) -> None:
    directory = image_directory("Pneumonia", "Effusion")
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(ModelError, match="--allow-pickle"):
        add(settings, directory, wishes, say)


# ONNX


LABELS = ("Mass", "Pneumonia", "Effusion")


def onnx_file(path: Path, side: int | str = 32, end: Sequence[str] = (), batch: int | str = "n") -> Path:
    """Three outputs, each a weight times the mean of the picture; ``end``: what is done with them."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
        *(helper.make_node(kind, ["y" * (n + 1)], ["y" * (n + 2)]) for n, kind in enumerate(end)),
    ]
    y = helper.make_tensor_value_info("y" * (len(end) + 1), TensorProto.FLOAT, ["n", 3])
    return graph_file(path, nodes, y, [batch, 1, side, side])


def graph_file(path: Path, nodes: Sequence[Any], output: Any, shape: Sequence[int | str]) -> Path:
    weights = numpy_helper.from_array(np.array([[1.0, -2.0, 3.0]], np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [x], [output], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_an_onnx_file_scores_as_its_graph_says(settings: Settings, wishes: Wishes, tmp_path: Path) -> None:
    named = replace(wishes, labels=("Fracture", "Pneumonia", "Effusion"), input={"mean": [0.0], "std": [0.5]})
    bundle = add(settings, onnx_file(tmp_path / "m.onnx"), named, say)
    picture = PICTURE[:32, :32]
    mean = 2 * float(picture.mean())
    expected = {"effusion": 1 / (1 + math.exp(-3 * mean)), "pneumonia": 1 / (1 + math.exp(2 * mean))}
    assert engine_of(settings, bundle).score_image(picture).probabilities == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("end", [["Sigmoid"], ["Sigmoid", "Identity", "Flatten"]])
def test_an_onnx_file_that_has_its_sigmoid_is_given_no_other(
    settings: Settings, wishes: Wishes, tmp_path: Path, end: list[str]
) -> None:
    named = replace(wishes, labels=("Fracture", "Pneumonia", "Effusion"), input={"mean": [0.0], "std": [0.5]})
    bundle = add(settings, onnx_file(tmp_path / "m.onnx", end=end), named, say)
    picture = PICTURE[:32, :32]
    expected = 1 / (1 + math.exp(-6 * float(picture.mean())))
    assert engine_of(settings, bundle).score_image(picture).probabilities["effusion"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "side", "reason"),
    [
        ({}, 32, "--labels"),
        ({"labels": ("Pneumonia",)}, 32, "1 labels for 3 outputs"),
        ({"labels": ("Pneumonia", "a", "b")}, "h", "--size"),
        ({"labels": ("Pneumonia", "a", "b"), "input": {"colour": 1}}, 32, "colour"),
        ({"labels": ("Pneumonia", "a", "b"), "input": {"fit": "stretch"}}, 32, "fit"),
        ({"labels": ("Mass", "Pneumonia", "Effusion"), "activation": "none"}, 32, "no probabilities"),
        ({"labels": ("Mass", "Pneumonia", "Effusion")}, 100_000, "4096 a side"),
    ],
)
def test_an_onnx_file_that_says_too_little_is_refused(
    settings: Settings, wishes: Wishes, tmp_path: Path, changes: dict[str, Any], side: int | str, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        add(settings, onnx_file(tmp_path / "m.onnx", side), replace(wishes, **changes), say)


def test_an_onnx_file_for_so_many_pictures_at_once_is_refused(
    settings: Settings, wishes: Wishes, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="reads 4 pictures at once"):
        add(settings, onnx_file(tmp_path / "m.onnx", batch=4), replace(wishes, labels=LABELS), say)


@pytest.mark.parametrize(
    ("node", "output"),
    [
        (("AveragePool", {"kernel_shape": [1, 30]}), (TensorProto.FLOAT, ["n", 1, 32, 3])),
        (("ReduceMean", {"keepdims": 0}), (TensorProto.FLOAT, [])),
        (("Cast", {"to": TensorProto.INT64}), (TensorProto.INT64, ["n", 1, 32, 32])),
    ],
    ids=["a map of each output", "one number for all pictures", "whole numbers"],
)
def test_an_onnx_file_that_gives_no_row_of_outputs_is_refused(
    settings: Settings, wishes: Wishes, tmp_path: Path, node: Any, output: Any
) -> None:
    kind, attributes = node
    nodes = [helper.make_node(kind, ["x"], ["y"], **attributes)]
    y = helper.make_tensor_value_info("y", *output)
    file = graph_file(tmp_path / "m.onnx", nodes, y, ["n", 1, 32, 32])
    with pytest.raises(ModelError, match="no row of numbers"):
        add(settings, file, replace(wishes, labels=LABELS), say)


def test_an_onnx_file_has_as_many_outputs_as_it_gives_whatever_it_declares(
    settings: Settings, wishes: Wishes, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Shape", ["x"], ["shape"], start=2),
        helper.make_node("Expand", ["mean", "shape"], ["map"]),
        helper.make_node("AveragePool", ["map"], ["row"], kernel_shape=[32, 1]),
        helper.make_node("Flatten", ["row"], ["y"]),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "k"])
    file = graph_file(tmp_path / "m.onnx", nodes, y, ["n", 1, "h", "w"])
    with pytest.raises(ModelError, match="3 labels for 32 outputs"):
        add(settings, file, replace(wishes, labels=LABELS, size=32), say)


def test_an_onnx_file_that_loads_and_does_not_run_is_refused(
    settings: Settings, wishes: Wishes, tmp_path: Path
) -> None:
    """Its graph was traced with another size than it says that it reads."""
    nodes = [
        helper.make_node("Reshape", ["x", "traced"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    held = [
        numpy_helper.from_array(np.array([-1, 48 * 48]), "traced"),
        numpy_helper.from_array(np.ones((48 * 48, 3), np.float32), "w"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y], held), opset_imports=opsets, ir_version=9)
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="cannot be run"):
        add(settings, tmp_path / "m.onnx", replace(wishes, labels=LABELS, size=32), say)
    assert not (settings.models_dir / wishes.name).exists()


def test_what_is_no_onnx_file_is_refused(settings: Settings, wishes: Wishes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="no ONNX file"):
        add(settings, tmp_path / "m.onnx", replace(wishes, labels=("Pneumonia",)), say)


# The bundle


def test_the_card_says_what_is_known(settings: Settings, wishes: Wishes, tmp_path: Path) -> None:
    labelled = replace(wishes, labels=("Fracture", "Pneumonia", "Effusion"), untrained=True)
    bundle = add(settings, onnx_file(tmp_path / "m.onnx"), labelled, say)
    text = (bundle.directory / "card.md").read_text()
    for expected in (
        "Apache-2.0",
        "Tests.",
        "| Pneumonia | Pneumonia | 1 |",
        "Fracture",
        "untrained",
        "Evaluation: none",
    ):
        assert expected in text
    assert bundle.untrained


@pytest.mark.parametrize("name", ["", "../x", "Big", ".hidden", "chest-radiograph"])
def test_a_name_is_new_and_plain(settings: Settings, wishes: Wishes, tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="bundle"):
        add(settings, onnx_file(tmp_path / "m.onnx"), replace(wishes, name=name, labels=("Mass", "a", "b")), say)


def test_calibration_and_thresholds_may_be_given(settings: Settings, wishes: Wishes, tmp_path: Path) -> None:
    given = replace(
        wishes,
        labels=("Mass", "a", "b"),
        calibration={"mass": {"slope": 2.0, "intercept": -1.0}},
        thresholds={"mass": {"high": 0.6, "review": [0.2, 0.6]}},
    )
    bundle = add(settings, onnx_file(tmp_path / "m.onnx"), given, say)
    assert bundle.score([0.5]).probabilities == {"mass": 0.5}
    assert bundle.thresholds["mass"].high == 0.6
