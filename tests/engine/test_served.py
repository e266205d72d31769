"""The server's side of the Open Inference Protocol v2: what is asked is read whole or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cds.engine.remote import messages as client
from cds.engine.served import messages
from cds.engine.served.catalogue import Catalogue
from cds.engine.served.model import ServedModel
from cds.engine.served.tensors import check, inputs_of
from cds.engine.version_number import version_number
from cds.errors import RequestError, Unknown
from tests.engine.open_inference import IMAGE, NOTE, pictures

TOKENS = {name: np.ones((2, 5), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}


def binary(described: dict[str, Any], data: bytes) -> tuple[bytes, str]:
    header = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], **described}]}).encode()
    return header + data, str(len(header))


class TestRequests:
    @pytest.mark.parametrize("as_binary", [True, False], ids=["binary", "JSON"])
    def test_what_tritonclient_says_is_what_is_read(self, as_binary: bool) -> None:
        said = client.request(TOKENS, binary=as_binary)
        read = messages.read(said.body, said.headers.get(messages.HEADER_LENGTH))
        assert read.binary == as_binary
        assert {name: values.tolist() for name, values in read.inputs.items()} == {
            name: values.tolist() for name, values in TOKENS.items()
        }

    @pytest.mark.parametrize(
        ("body", "length"),
        [
            (b"", None),
            (b"[]", None),
            (b"{}", None),
            (b'{"inputs": 1}', None),
            (b'{"inputs": [{}]}', None),
            (b'{"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}', None),
            (b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [3], "data": [1]}]}', None),
            (b'{"inputs": [{"name": "x", "datatype": "INT64", "shape": [1], "data": [1e99]}]}', None),
            (b'{"inputs": []}', "many"),
            binary({"parameters": {"binary_data_size": 8}}, b"1234567"),
            binary({"parameters": {"binary_data_size": -8}}, b"12345678"),
            binary({"parameters": {"binary_data_size": 8}, "shape": [1 << 40]}, b"12345678"),
            binary({"parameters": {"binary_data_size": "8"}}, b"12345678"),
        ],
    )
    def test_what_is_none_is_refused(self, body: bytes, length: str | None) -> None:
        with pytest.raises(RequestError):
            messages.read(body, length)


class TestTensors:
    @pytest.mark.parametrize(
        "inputs",
        [
            {},
            {"pixel_values": np.zeros((1, 1, 224, 224), np.float64)},
            {"pixel_values": np.zeros((1, 1, 224, 225), np.float32)},
            {"pixel_values": np.zeros((0, 1, 224, 224), np.float32)},
            {"pixel_values": np.zeros((224, 224), np.float32)},
            {**pictures(), "more": np.zeros(1, np.float32)},
        ],
        ids=["none", "datatype", "size", "no row", "no batch", "one too many"],
    )
    def test_an_image_network_reads_pictures_of_its_size(self, inputs: dict[str, Any]) -> None:
        with pytest.raises(RequestError):
            check(inputs, inputs_of(IMAGE))

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("input_ids", np.full((2, 5), 1 << 40)),
            ("input_ids", np.full((2, 5), -1)),
            ("token_type_ids", np.full((2, 5), 2)),
            ("attention_mask", np.full((2, 5), 2)),
            ("attention_mask", np.ones((1, 5), np.int64)),
        ],
    )
    def test_a_note_network_reads_tokens_that_it_knows(self, name: str, values: Any) -> None:
        check(TOKENS, inputs_of(NOTE))
        with pytest.raises(RequestError):
            check({**TOKENS, name: values}, inputs_of(NOTE))

    def test_a_note_is_no_longer_than_its_network_reads(self) -> None:
        with pytest.raises(RequestError, match="longer"):
            check({name: np.ones((1, 513), np.int64) for name in TOKENS}, inputs_of(NOTE))


class TestCatalogue:
    def test_versions_of_a_model_stand_beside_each_other(self, tmp_path: Path) -> None:
        for version in ("1.0.0", "2.0.0"):
            put(tmp_path, version)
        versions = Catalogue(tmp_path).versions("clinical-note")
        found = [Catalogue(tmp_path).find("clinical-note", version).version for version in versions]
        assert [version.version for version in found] == ["1.0.0", "2.0.0"]

    def test_a_version_that_is_put_there_later_is_found(self, tmp_path: Path) -> None:
        catalogue = Catalogue(tmp_path)
        with pytest.raises(Unknown):
            catalogue.versions("clinical-note")
        put(tmp_path, "1.0.0")
        assert len(catalogue.versions("clinical-note")) == 1

    def test_what_is_broken_or_untrained_is_left_out(self, tmp_path: Path) -> None:
        put(tmp_path, "1.0.0", untrained=True)
        (put(tmp_path, "2.0.0") / "config.json").write_text("{}")
        assert Catalogue(tmp_path).bundles() == []

    def test_another_version_is_unknown(self, tmp_path: Path) -> None:
        put(tmp_path, "1.0.0")
        with pytest.raises(Unknown):
            Catalogue(tmp_path).find("clinical-note", version_number(IMAGE.version))


def put(models_dir: Path, version: str, **changes: object) -> Path:
    """A copy of the note bundle in that version."""
    directory = models_dir / f"clinical-note-{version}"
    shutil.copytree(NOTE.directory, directory)
    manifest = {**NOTE.manifest, "version": version, **changes}
    (directory / "bundle.json").write_text(json.dumps(manifest))
    return directory


def test_requests_are_scored_together_as_each_by_itself() -> None:
    model = ServedModel(NOTE, "cpu")
    longer = {name: np.ones((1, 9), np.int64) for name in TOKENS}
    other = {**TOKENS, "input_ids": np.full((2, 5), 7)}
    together = model.infer_all([TOKENS, longer, other])
    for logits, alone in zip(together, (TOKENS, longer, other), strict=True):
        np.testing.assert_allclose(logits, model.infer(alone), atol=1e-4)
