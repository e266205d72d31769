"""A file is found by the name that a table of a published data set gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.errors import ImagingError
from cds.models.evaluation.folder import Folder

HELD = (
    "a.png",
    "b.JPG",
    "images_001/images/c.png",
    "p1/s1/view1.jpg",
    "p2/s1/view1.jpg",
    "x/twice.png",
    "y/twice.png",
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in HELD:
        (tmp_path / "films" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / name).touch()
    (tmp_path / "secret.png").touch()
    return tmp_path / "films"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.png", "a.png"),
        ("a", "a.png"),
        ("b", "b.JPG"),
        ("b.png", "b.JPG"),
        ("c.png", "images_001/images/c.png"),
        ("c", "images_001/images/c.png"),
        ("p2/s1/view1.jpg", "p2/s1/view1.jpg"),
        ("CheXpert-v1.0-small/valid/p2/s1/view1.jpg", "p2/s1/view1.jpg"),
        ("p1\\s1\\view1.jpg", "p1/s1/view1.jpg"),
        ("/data/films/a.png", "a.png"),
    ],
)
def test_found(directory: Path, name: str, file: str) -> None:
    assert Folder(directory).find(name, Path.is_file) == directory / file


@pytest.mark.parametrize("name", ["z.png", "../secret.png", "x/../../secret.png", "x", "", ".", "q/c.png2"])
def test_not_found(directory: Path, name: str) -> None:
    with pytest.raises(ImagingError, match="no such file"):
        Folder(directory).find(name, Path.is_file)


@pytest.mark.parametrize("name", ["twice.png", "view1"])
def test_a_name_that_several_files_have_is_not_guessed(directory: Path, name: str) -> None:
    with pytest.raises(ImagingError, match="several files"):
        Folder(directory).find(name, Path.is_file)


def test_a_link_in_the_folder_is_followed(directory: Path, tmp_path: Path) -> None:
    (directory / "linked.png").symlink_to(tmp_path / "secret.png")
    assert Folder(directory).find("linked.png", Path.is_file).is_file()
