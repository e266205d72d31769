"""``python -m bench.imaging``: what a radiograph costs from DICOM bytes to a probability, on one core.

What is measured
    A made film of 2,048 x 2,048 pixels in 12 bits, stored uncompressed, as JPEG 2000 and as HTJ2K. Each stage runs
    alone, ROUNDS times; the figure is the median of the processor time that it took, so that others on the machine
    matter less. *Decode* is ``read_radiograph`` as the service calls it (header, checks, pixels, LUTs, a look for
    writing), *preprocess* ``framed``, *model* the shipped bundle as the engine process runs it, by ONNX Runtime.

The peers
    *pydicom + torch*: ``dcmread``, ``pixel_array``, ``apply_modality_lut``, ``apply_voi_lut``, scaling to 0..1,
    torch's area interpolation; the path of most tutorials. *MONAI*: ``LoadImage`` with its PydicomReader,
    ``EnsureChannelFirst``, ``ScaleIntensity``, ``Resize``; skipped where MONAI is not to be imported (tried with
    ``pip install --no-deps --target DIR monai==1.6.1`` and ``PYTHONPATH=DIR``). Neither checks sizes, crops
    borders or looks for writing. Both give the model a picture of the same size.

Equal output
    The same film in each form, and the film at full and at reduced resolution: the largest difference of any
    probability. It is a figure of this film; ``--films DIR`` takes yours.
"""

from __future__ import annotations

import argparse
import os

# One core, before torch and OpenMP count the others.
os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import torch
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID, ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless

from bench.report import Row, at_most, device, figure, goals, ratio, table, write_json
from cds.engine.bundles import Bundle
from cds.engine.examples import examples_for
from cds.engine.image import ImageReader
from cds.engine.networks import network_of
from cds.engine.onnx_export import exported
from cds.engine.onnx_runtime import OnnxRuntimeNetwork
from cds.imaging.framing import OVERSAMPLING, framed
from cds.imaging.pixels import read_radiograph
from cds.settings import Settings

SIDE = 2048
ROUNDS = 9
MODEL = "model"
FORMS: Mapping[str, UID] = {
    "uncompressed": ExplicitVRLittleEndian,
    "JPEG 2000": UID(JPEG2000Lossless),
    "HTJ2K": UID(HTJ2KLossless),
}
PARITY = 0.01

Loader = Callable[[bytes], NDArray[np.float32]]
Stages = dict[str, float]
"""Milliseconds of processor time by stage."""


def main() -> None:
    """Exit code 0 whether or not the goals are met: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m bench.imaging", description="DICOM bytes to probability.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument(
        "--films", type=Path, metavar="DIR", help="DICOM files to compare full and reduced decoding on"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    reader = _reader()
    rows: list[Row] = []
    lines: list[list[str]] = []
    for form, syntax in FORMS.items():
        data = _file(_film(), syntax)
        ours = _ours(data, reader)
        peers = {name: _cost(partial(path, data)) for name, path in _peers(reader, data)}
        lines.append(
            [form, *(figure(ours[stage]) for stage in ("decode", "preprocess", MODEL)), figure(sum(ours.values()))]
        )
        lines += [[f"{form}, {name}", *["-"] * 2, "-", figure(cost + ours[MODEL])] for name, cost in peers.items()]
        rows += _rows(form, ours, peers)
    rows += _parity(reader, arguments.films)
    header = ["2k x 2k film, ms of one core", "decode", "preprocess", MODEL, "together"]
    print(table(header, lines), goals(rows), device(), sep="\n\n")
    if arguments.json:
        write_json(arguments.json, rows)


def _rows(form: str, ours: Stages, peers: Stages) -> Iterator[Row]:
    before = ours["decode"] + ours["preprocess"]
    where = "1 CPU core"
    for stage, cost in ours.items():
        yield Row(f"{form}, {stage}", cost, "ms", device=where)
    if form == "uncompressed":
        yield Row(
            "uncompressed, decode + preprocess",
            before,
            "ms",
            goal="< 120 ms",
            met=at_most(120, before),
            device=where,
        )
        yield Row("CNN", ours[MODEL], "ms", goal="< 60 ms", met=at_most(60, ours[MODEL]), device=where)
    for name, cost in peers.items():
        faster = at_most(cost, before)
        share = ratio(before, cost)
        named = f"{form}, decode + preprocess against {name}"
        yield Row(
            named, before, "ms", peer=cost, ratio=share, goal="faster than the peer", met=faster, device=where
        )


def _reader() -> ImageReader:
    """The shipped bundle as the engine process runs it."""
    bundle = Bundle.load(Settings().models_dir / Settings().image_bundle)
    onnx = exported(network_of(bundle), examples_for(bundle)[0])
    return ImageReader(bundle, OnnxRuntimeNetwork(onnx, threads=1))


def _ours(data: bytes, reader: ImageReader) -> Stages:
    asked = reader.bundle.input
    film = read_radiograph(data, at_least=OVERSAMPLING * asked["height"])
    picture = framed(film.pixels, asked)
    return {
        "decode": _cost(lambda: read_radiograph(data, at_least=OVERSAMPLING * asked["height"])),
        "preprocess": _cost(lambda: framed(film.pixels, asked)),
        MODEL: _cost(lambda: reader.score(picture)),
    }


def _peers(reader: ImageReader, data: bytes) -> Iterator[tuple[str, Loader]]:
    size = int(reader.bundle.input["height"])
    for name, make in (("pydicom + torch", _pydicom), ("MONAI", _monai)):
        try:
            path = make(size)
            path(data)
        except Exception as lacking:  # a peer that is not there, or does not read this form
            print(f"{name} is left out: {type(lacking).__name__}: {str(lacking)[:120]}", file=sys.stderr)
            continue
        yield name, path


def _pydicom(size: int) -> Loader:
    def read(data: bytes) -> NDArray[np.float32]:
        dataset = dcmread(BytesIO(data))
        pixels = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        scaled = torch.from_numpy(np.asarray(pixels, dtype=np.float32))
        scaled = (scaled - scaled.min()) / (scaled.max() - scaled.min())
        resized = torch.nn.functional.interpolate(scaled[None, None], (size, size), mode="area")
        return np.asarray(resized[0, 0])

    return read


def _monai(size: int) -> Loader:
    from monai.transforms import (  # type: ignore[import-not-found]  # noqa: PLC0415 (a peer, where it is installed)
        Compose,
        EnsureChannelFirst,
        LoadImage,
        Resize,
        ScaleIntensity,
    )

    steps = [LoadImage(reader="PydicomReader", image_only=True), EnsureChannelFirst(), ScaleIntensity()]
    load = Compose([*steps, Resize((size, size), mode="area")])

    def read(data: bytes) -> NDArray[np.float32]:
        # It reads files alone.
        with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
            file.write(data)
            file.flush()
            return np.asarray(load(file.name))

    return read


def _parity(reader: ImageReader, directory: Path | None) -> Iterator[Row]:
    """How far apart the probabilities are: between forms, and between full and reduced resolution."""
    asked = reader.bundle.input
    film = _film()
    files = {form: _file(film, syntax) for form, syntax in FORMS.items()}
    full = {form: _scores(reader, data, None) for form, data in files.items()}
    reduced = {form: _scores(reader, data, OVERSAMPLING * asked["height"]) for form, data in files.items()}
    between = max(_apart(full["uncompressed"], other) for other in full.values())
    lost = max(_apart(full[form], reduced[form]) for form in files)
    yield Row("largest difference of a probability between forms", between, "", goal="0", met=between == 0)
    yield Row("the same, full against reduced resolution", lost, "", goal=f"<= {PARITY}", met=lost <= PARITY)
    yours = [path.read_bytes() for path in sorted(directory.glob("*.dcm"))] if directory else []
    if yours:
        lost = max(
            _apart(_scores(reader, d, None), _scores(reader, d, OVERSAMPLING * asked["height"])) for d in yours
        )
        yield Row(f"the same, {len(yours)} films of yours", lost, "", goal=f"<= {PARITY}", met=lost <= PARITY)


def _scores(reader: ImageReader, data: bytes, at_least: int | None) -> Mapping[str, float]:
    film = read_radiograph(data, at_least=at_least)
    return reader.score(framed(film.pixels, reader.bundle.input)).probabilities


def _apart(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return max(abs(one[key] - other[key]) for key in one)


def _cost(step: Callable[[], Any]) -> float:
    """Median processor time in ms, after one run that does not count."""
    step()
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        step()
        taken.append((time.process_time() - began) * 1000)
    return statistics.median(taken)


def _film() -> NDArray[np.uint16]:
    """Two dark lungs on a brighter ground, ribs, grain; 12 bits."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    lungs = sum(((x - middle) / 0.17) ** 2 + ((y - 0.45) / 0.32) ** 2 < 1 for middle in (0.29, 0.71))
    ribs = 120 * np.sin(60 * y + 8 * np.cos(6 * x))
    film = 1900 + 900 * y - 1100 * lungs + ribs + np.random.default_rng(7).normal(0, 25, y.shape)
    return np.asarray(np.clip(film, 0, 4095), dtype=np.uint16)


def _file(film: NDArray[np.uint16], syntax: UID) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.826.1.2.3")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.1", "1.2.826.1.2"
    dataset.Modality, dataset.ViewPosition, dataset.BodyPartExamined = "DX", "PA", "CHEST"
    dataset.Rows, dataset.Columns = film.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    if syntax == ExplicitVRLittleEndian:
        dataset.PixelData = film.tobytes()
    else:
        dataset.PixelData = encapsulate([_codestream(film, syntax)])
    dataset["PixelData"].VR = "OW" if syntax == ExplicitVRLittleEndian else "OB"
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _codestream(film: NDArray[np.uint16], syntax: UID) -> bytes:
    if syntax == HTJ2KLossless:
        return bytes(imagecodecs.htj2k_encode(film, reversible=True))
    return bytes(imagecodecs.jpeg2k_encode(film, codecformat="J2K", reversible=True, level=0, bitspersample=12))


if __name__ == "__main__":
    main()
