"""The engine process as it is deployed: one for all web workers, which hold no model themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from cds.deadline import Deadline
from cds.ehr.documents import Document
from cds.engine.kept import kept_file, usable
from cds.engine.process.client import EngineProcess
from cds.engine.slices import SliceReader
from cds.errors import ImagingError, NoteError
from cds.imaging.film import Film
from cds.inference.engine import Engine, Models
from cds.inference.socket import socket_of
from cds.notes.deidentification.known import KnownIdentifiers
from cds.processes import Process, Processes
from cds.sandbox.radiograph import render
from cds.serving import environment, python
from cds.settings import PACKAGE_ROOT, Settings
from tests.ct import make_slice
from tests.ct_bundle import in_use_as_if_trained, with_shipped_models
from tests.engines import engine_of
from tests.imaging.conftest import make_file

NOTE = b"ED note. Mrs. Marbury was seen on 3/14/2026. Large right pneumothorax. No pleural effusion."


@dataclass(frozen=True)
class Running:
    engine: Engine
    process: Process

    def children(self) -> dict[str, int]:
        """The processes that it has forked, by what they do (``comm`` cannot tell, the order of forking does)."""
        listed = subprocess.run(
            ["pgrep", "-P", str(self.process.popen.pid)], capture_output=True, text=True, check=True
        )
        return dict(zip(("models", "core"), sorted(map(int, listed.stdout.split())), strict=False))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("engine")
    settings = with_shipped_models(Settings(data_dir=home), home)
    in_use_as_if_trained(settings, home)
    models = Models.in_use(settings)
    with engine_of(settings) as process:
        yield Running(Engine(models, EngineProcess(socket_of(settings), models.digests)), process)


def soon() -> Deadline:
    return Deadline.after(60_000)


@pytest.fixture(scope="module")
def film(running: Running) -> Film:
    drawn = render(17, size=(900, 600), findings={"pneumothorax": 0.8}, sides={"pneumothorax": "left"})
    return running.engine.read_film(make_file(drawn, stored=12, WindowCenter=2048, WindowWidth=4096), soon())


def test_a_film_is_read_scored_and_explained(running: Running, film: Film) -> None:
    asked = running.engine.models.image.input
    assert film.picture.shape == (asked["height"], asked["width"])
    assert film.shape == (900, 600)
    assert film.modality == "DX"
    score = running.engine.score_film(film, soon())
    assert score.probabilities["pneumothorax"] > 0.5
    saliency = running.engine.explain_film(film.picture, "pneumothorax", soon())
    assert saliency.shape == film.picture.shape
    assert 0.9 < saliency.max() <= 1


def test_a_note_is_read_without_names_scored_and_its_evidence_found(running: Running) -> None:
    document = Document("DocumentReference/1", "ED note", date(2026, 3, 14), "text/plain", NOTE)
    read = running.engine.read_notes([document], KnownIdentifiers(subject="Patient/1"), soon())
    assert "Marbury" not in read.text
    score = running.engine.score_notes(read, soon())
    assert score.probabilities["pneumothorax"] > 0.5 > score.probabilities["effusion"]
    carried = [one.text for one in running.engine.evidence(read, score, soon()) if one.probability]
    assert carried[0] == "Large right pneumothorax."


def test_a_slice_of_a_ct_is_read_pictured_and_scored(running: Running) -> None:
    engine = running.engine
    [bundle] = engine.models.ct
    [one] = engine.read_ct(make_slice(1, bleeding=1.0), bundle, soon()).slices
    assert one.hounsfield.shape == (96, 96)
    picture = engine.picture_slice(one.hounsfield, bundle, soon())
    pictures = np.stack([picture, np.zeros_like(picture)])
    logits = engine.score_slices(pictures, bundle, soon())
    reader = SliceReader.load(bundle, "cpu")
    assert logits == pytest.approx(reader(pictures), abs=1e-2)
    saliency = engine.explain_slice(picture, bundle, "hemorrhage", soon())
    assert saliency == pytest.approx(reader.explain(picture, "hemorrhage"), abs=1e-2)
    with pytest.raises(ImagingError, match="not a DICOM file"):
        engine.read_ct(b"nothing", bundle, soon())


def test_what_cannot_be_read_is_refused_with_the_reason(running: Running) -> None:
    with pytest.raises(ImagingError, match="not a DICOM file"):
        running.engine.read_film(b"nothing", soon())
    unreadable = Document("DocumentReference/1", "", None, "application/pdf", b"%PDF-")
    with pytest.raises(NoteError):
        running.engine.read_notes([unreadable], KnownIdentifiers(), soon())


@pytest.mark.parametrize("who", ["models", "core"])
def test_it_heals_by_itself_and_says_the_same_as_before(running: Running, film: Film, who: str) -> None:
    before = running.engine.score_film(film, soon())
    os.kill(running.children()[who], signal.SIGKILL)
    again = running.engine.score_film(film, soon())
    assert np.allclose(list(before.probabilities.values()), list(again.probabilities.values()), atol=1e-6)


def test_of_two_for_one_data_directory_the_second_stands_by(running: Running, film: Film) -> None:
    home = running.process.log.parent.parent
    environ = environment(Settings(data_dir=home))
    with Processes(home / "second") as processes:
        second = processes.start("second", python("-m", "cds.cli", "engine"), environ)
        processes.wait(second, lambda: "stands by" in second.log.read_text(), 60)
        assert running.engine.score_film(film, soon())
    assert running.engine.score_film(film, soon())


def test_where_onnx_runtime_serves_no_process_of_the_engine_holds_torch(film: Film, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, device="cpu")
    models, kept = Models.in_use(settings), settings.home() / "engine"
    with engine_of(settings) as process:
        alone = Running(Engine(models, EngineProcess(socket_of(settings), models.digests)), process)
        saliency = kept_file(models.image, kept, "saliency")
        while not saliency.exists():
            time.sleep(0.1)  # whoever finds that out has torch, and ends
        if not all(map(usable, (saliency, kept_file(models.image, kept), kept_file(models.note, kept)))):
            pytest.skip("on this machine torch is the faster")
        document = Document("DocumentReference/1", "ED note", date(2026, 3, 14), "text/plain", NOTE)
        read = alone.engine.read_notes([document], KnownIdentifiers(), soon())
        assert alone.engine.score_notes(read, soon()).probabilities
        assert alone.engine.explain_film(film.picture, "pneumothorax", soon()).any()
        for pid in (process.popen.pid, *alone.children().values()):
            assert "libtorch" not in Path(f"/proc/{pid}/maps").read_text()


def test_who_asks_the_engine_holds_no_model_and_nothing_to_run_one_with() -> None:
    """Neither the web workers nor the worker."""
    heavy = ("torch", "transformers", "onnxruntime", "presidio_analyzer", "spacy")
    check = f"import sys, cds.app, cds.worker.service; print([name for name in {heavy!r} if name in sys.modules])"
    printed = subprocess.run(
        [sys.executable, "-c", check], cwd=Path(PACKAGE_ROOT), capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"
