"""Scores are the same wherever the models run, and no request is lost when something there dies."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.peers.open_inference import Started
from cds.engine.bundles import Bundle
from cds.engine.image import ImageReader, Picture
from cds.engine.local import LocalEngine
from cds.engine.note import NoteReader
from cds.engine.remote import remote_networks
from cds.findings import PartScore
from cds.settings import Settings
from tests.hospital import MODELS

IMAGE, NOTE = (Bundle.load(MODELS / name) for name in ("chest-radiograph", "clinical-note"))
TEXT = "Large right pneumothorax. No pleural effusion. The heart is enlarged."
PARITY = 0.01
CLIENTS = 4
LONG_MS = 300_000
"""Ray may take half a minute to see that a node is dead; what waits for it is not lost."""

pytestmark = pytest.mark.timeout(900)


def picture() -> Picture:
    return np.random.default_rng(7).random((224, 224), dtype=np.float32)


def engine(*urls: str) -> LocalEngine:
    settings = Settings(engine_urls=",".join(urls), upstream_timeout_ms=LONG_MS)
    image, note = remote_networks(settings, IMAGE, NOTE)
    return LocalEngine(ImageReader(IMAGE, image), NOTE, NoteReader.of(NOTE, note))


@pytest.fixture(scope="module")
def local() -> LocalEngine:
    return LocalEngine.load(IMAGE, NOTE, device="cpu")


def assert_same(one: PartScore, other: PartScore) -> None:
    assert one.model == other.model
    assert one.probabilities == pytest.approx(other.probabilities, abs=PARITY)


@pytest.mark.parametrize("peer", ["ray", "mlserver", "triton", "kserve"])
def test_scores_are_those_of_this_machine(peer: str, local: LocalEngine, request: pytest.FixtureRequest) -> None:
    started: Started = request.getfixturevalue(peer)
    remote = engine(started.url)
    assert_same(remote.score_image(picture()), local.score_image(picture()))
    assert_same(remote.score_note(TEXT), local.score_note(TEXT))


@pytest.mark.parametrize("peer", ["ray", "mlserver", "triton"])
def test_versions_of_a_model_are_served_beside_each_other(
    peer: str, models: Path, request: pytest.FixtureRequest
) -> None:
    """KServe has one version of each."""
    started: Started = request.getfixturevalue(peer)
    reversed_note = Bundle.load(models / "clinical-note-next")
    (_, now), (_, then) = (
        remote_networks(Settings(engine_urls=started.url, upstream_timeout_ms=LONG_MS), IMAGE, note)
        for note in (NOTE, reversed_note)
    )
    tokens = {name: np.ones((2, 5), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    np.testing.assert_allclose(now(tokens), then(tokens)[:, ::-1], atol=1e-4)


class Load:
    """Clients that ask again and again until it is over; one that loses a request is done before."""

    def __init__(self, remote: LocalEngine, expected: PartScore, threads: ThreadPoolExecutor) -> None:
        self.over = False
        self._answers: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.clients = [threads.submit(self._ask, remote, expected) for _ in range(CLIENTS)]

    def _ask(self, remote: LocalEngine, expected: PartScore) -> None:
        try:
            while not self.over:
                assert_same(remote.score_image(picture()), expected)
                self._answers.put(None)
        except BaseException:
            self.over = True
            raise

    def wait_for(self, more: int) -> None:
        """Until so many more were answered."""
        for _ in range(more):
            while not self.over:
                with suppress(queue.Empty):
                    self._answers.get(timeout=0.1)
                    break


@contextmanager
def under_load(remote: LocalEngine, expected: PartScore) -> Iterator[Load]:
    """Raises what any of its clients raised: a request that was lost."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        load = Load(remote, expected, threads)
        try:
            load.wait_for(10)
            yield load
            load.wait_for(40)
        finally:
            load.over = True
    for client in load.clients:
        client.result()


def processes_of(node: int, named: str) -> list[psutil.Process]:
    """Those of a server or node whose command has ``named`` in it."""
    children = psutil.Process(node).children(recursive=True)
    return [child for child in children if named in " ".join(child.cmdline())]


def test_a_replica_that_is_killed_loses_no_request(ray: Started, local: LocalEngine) -> None:
    with under_load(engine(ray.url), local.score_image(picture())):
        (replica, *_) = [found for node in ray.nodes for found in processes_of(node, "Scorer")]
        replica.kill()


def test_a_node_that_is_killed_loses_no_request(ray: Started, local: LocalEngine) -> None:
    with under_load(engine(ray.url), local.score_image(picture())):
        os.kill(ray.nodes[0], signal.SIGKILL)


def test_a_model_that_dies_within_triton_loses_no_request(
    triton: Started, mlserver: Started, local: LocalEngine
) -> None:
    """Triton does not start it anew, and says that it is ready all the same."""
    with under_load(engine(triton.url, mlserver.url), local.score_image(picture())):
        (scoring,) = processes_of(triton.nodes[0], "chest-radiograph")
        scoring.kill()


@pytest.mark.parametrize("peer", ["mlserver", "triton", "kserve"])
def test_a_whole_server_that_is_killed_loses_no_request(
    peer: str, ray: Started, local: LocalEngine, request: pytest.FixtureRequest
) -> None:
    """The last test: none of them comes back."""
    started: Started = request.getfixturevalue(peer)
    with under_load(engine(started.url, ray.url), local.score_image(picture())):
        os.kill(started.nodes[0], signal.SIGKILL)
