"""``python -m tests.imaging.mutate COUNT [SEED]``: damaged DICOM files in great number, read one after another.

Each as a film and as a slice of a CT. Prints one JSON object: how many were films, how many slices, the slowest in
seconds and the most memory in MiB. Anything but these or an ImagingError ends it with a traceback; a decoder that
crashes, with a signal.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.random import Generator
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cds.errors import ImagingError
from cds.imaging.ct.slice import AIR, METAL, read_instance
from cds.imaging.pixels import read_radiograph
from tests.ct import make_enhanced, make_slice
from tests.imaging.conftest import make_file

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[3] / "shared/data")) / "dicom"
LARGEST = 600_000
"""Bytes of a real file that is used."""


def samples() -> list[bytes]:
    """One small film in each transfer syntax, and the real files where they are at hand."""
    y, x = np.mgrid[0:96, 0:80] / 96
    film = (2000 + 1200 * np.sin(7 * x) * np.cos(5 * y)).astype(np.uint16)
    grey = (film >> 4).astype(np.uint8)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    native = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
    made = [make_file(film, syntax, stored=12, **window) for syntax in (*native, RLELossless)]
    streams: list[tuple[UID, bytes]] = [
        (JPEGExtended12Bit, imagecodecs.jpeg8_encode(film, bitspersample=12)),
        (JPEGLosslessSV1, imagecodecs.jpeg8_encode(film, lossless=True, predictor=1, bitspersample=12)),
        (JPEGLSLossless, imagecodecs.jpegls_encode(film)),
        (JPEG2000Lossless, imagecodecs.jpeg2k_encode(film, codecformat="J2K", reversible=True, level=0)),
        (HTJ2KLossless, imagecodecs.htj2k_encode(film, reversible=True)),
    ]
    made += [make_file(film, syntax, stored=12, codestream=bytes(data), **window) for syntax, data in streams]
    made.append(make_file(grey, JPEGBaseline8Bit, codestream=bytes(imagecodecs.jpeg8_encode(grey))))
    made += [make_slice(1), make_enhanced(3)]
    return made + list(_real())


def _real() -> Iterator[bytes]:
    if DATA.exists():
        with (DATA / "index.csv").open(newline="") as file:
            paths = [DATA / row["file"] for row in csv.DictReader(file)]
        yield from (path.read_bytes() for path in paths if path.stat().st_size <= LARGEST)


def mutated(sample: bytes, random: Generator) -> bytes:
    """Bytes turned, runs overwritten, pieces cut out or doubled, the end cut off: mostly in the header."""
    data = bytearray(sample)
    for _ in range(int(random.integers(1, 9))):
        reach = len(data) if random.random() < 0.5 else min(len(data), 2_000)
        at = int(random.integers(128, max(129, reach)))
        size = int(2 ** random.uniform(0, 10))
        kind = random.random()
        if kind < 0.5:
            data[at : at + 1] = random.bytes(1)
        elif kind < 0.65:
            data[at : at + 4] = bytes(random.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF], 4).astype(np.uint8))
        elif kind < 0.75:
            data[at : at + size] = random.bytes(size)
        elif kind < 0.85:
            del data[at : at + size]
        elif kind < 0.95:
            data[at:at] = data[at : at + size]
        else:
            del data[at:]
    return bytes(data)


def run(count: int, seed: int = 0) -> dict[str, float]:
    random = np.random.default_rng(seed)
    originals = samples()
    films, slices, slowest = 0, 0, 0.0
    for number in range(count):
        data = mutated(originals[number % len(originals)], random)
        began = time.process_time()
        try:
            # Every other one as the service reads it, at a reduced resolution where there is one.
            film = read_radiograph(data, at_least=64 if number % 2 else None)
        except ImagingError:
            pass
        else:
            films += 1
            assert 0 <= film.pixels.min() <= film.pixels.max() <= 1
        try:
            read = read_instance(data)
        except ImagingError:
            pass
        else:
            slices += len(read.slices)
            for one in read.slices:
                assert AIR <= one.hounsfield.min() <= one.hounsfield.max() <= METAL
                assert np.isfinite(one.place)
        slowest = max(slowest, time.process_time() - began)
    return {
        "files": count,
        "films": films,
        "slices": slices,
        "slowest_s": round(slowest, 3),
        "memory_mib": round(_most_memory()),
    }


def _most_memory() -> float:
    """In MiB, of this program alone: ``getrusage`` also counts the process that it was forked from."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
