"""The sample patients' films: drawn once, then kept on disk as the encoded pixels of their DICOM files."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cds.sandbox.patients.dx import Frame, encode
from cds.sandbox.radiograph import VERSION, Sex, Side, View, render, render_lateral


@dataclass(frozen=True, slots=True)
class Film:
    """What to draw, by :func:`cds.sandbox.radiograph.render`, and how to store it."""

    seed: int
    """Below ``TRAINING_SEEDS``: no model has seen it."""
    view: View = "PA"
    findings: Mapping[str, float] = field(default_factory=dict)
    sides: Mapping[str, Side] = field(default_factory=dict)
    size: tuple[int, int] = (1024, 1024)
    lateral: bool = False
    """The seed's left lateral view in the place of a frontal one."""
    inverted: bool = False
    compressed: bool = False


class Films:
    """Frames by film. Given a directory, a frame drawn by the same generator before is read from there."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory

    def frame(self, film: Film, sex: Sex) -> Frame:
        """The film of a patient of this sex, encoded as ``film`` says."""
        data = self._read(film, sex)
        if data is None:
            frame = _draw(film, sex)
            self._keep(film, sex, frame.data)
            return frame
        return Frame(*film.size, film.inverted, film.compressed, data)

    def _read(self, film: Film, sex: Sex) -> bytes | None:
        """What is kept, unless it was cut short or altered."""
        if self._directory is None:
            return None
        try:
            kept = self._path(self._directory, film, sex).read_bytes()
        except OSError:
            return None
        digest, data = kept[:32], kept[32:]
        return data if hashlib.sha256(data).digest() == digest else None

    def _keep(self, film: Film, sex: Sex, data: bytes) -> None:
        if self._directory is None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._path(self._directory, film, sex)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        draft.write_bytes(hashlib.sha256(data).digest() + data)
        os.replace(draft, path)

    @staticmethod
    def _path(directory: Path, film: Film, sex: Sex) -> Path:
        key = hashlib.sha256(f"{VERSION} {sex} {film}".encode()).hexdigest()
        return directory / f"{key[:32]}.frame"


def _draw(film: Film, sex: Sex) -> Frame:
    if film.lateral:
        pixels = render_lateral(film.seed, size=film.size, sex=sex)
    else:
        pixels = render(
            film.seed, size=film.size, findings=film.findings, sides=film.sides, view=film.view, sex=sex
        )
    return encode(pixels, inverted=film.inverted, compressed=film.compressed)
