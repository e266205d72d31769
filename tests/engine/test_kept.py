"""What was found out about a bundle is kept whole, or is found out again."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from cds.engine.kept import keep, loaded
from cds.engine.onnx_runtime import OnnxRuntimeNetwork

LOAD = partial(OnnxRuntimeNetwork, threads=1)


def test_what_is_kept_is_there_alone(tmp_path: Path) -> None:
    keep(b"a network", tmp_path / "kept.onnx")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"kept.onnx": b"a network"}


def test_where_there_is_no_room_that_is_said_and_nothing_left_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kept.unfinished").symlink_to("/dev/full")
    keep(b"a network", tmp_path / "kept.onnx")
    assert "No space left on device" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_what_is_damaged_is_no_network_and_goes(tmp_path: Path) -> None:
    kept = tmp_path / "kept.onnx"
    kept.write_bytes(b"half a netw")
    assert loaded(kept, LOAD) is None
    assert not kept.exists()


def test_an_empty_file_says_that_torch_is_to_compute(tmp_path: Path) -> None:
    kept = tmp_path / "kept.onnx"
    keep(b"", kept)
    assert loaded(kept, LOAD) is None
    assert kept.exists()
