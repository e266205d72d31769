"""The whole prescreen with its models on a server of another maker; a node of Ray's dies meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bench.peers.open_inference import Started
from cds.findings import Prescreen
from cds.reporting.record import Record
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests.hospital import TENANT, Hospital, opened
from tests.peers.relay import Relay
from tests.serving import listening

ORDERS = 12
LONG_MS = 300_000

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Elsewhere:
    """A hospital whose models run elsewhere, and what went there."""

    hospital: Hospital
    relay: Relay

    def signed(self, like: str) -> str:
        """The new patient whose order it was."""
        patient = self.hospital.newcomer(like)
        assert self.hospital.sign(patient).problem == ""
        return f"Patient/{patient.id}"

    def prescreen(self, patient: str) -> Prescreen:
        """The latest, when the worker has made whole what was late for its answer."""
        record = Record(self.hospital.database)
        while (latest := record.latest(TENANT, self.hospital.sandbox.fhir_base, patient)) is None:
            self.hospital.work()
        return latest


@pytest.fixture
def elsewhere(
    tmp_path_factory: pytest.TempPathFactory,
    films: Path,
    postgres: EmbeddedPostgres,
    database: Database,
    valkey_url: str,
) -> Iterator[Callable[[Started], Elsewhere]]:
    @contextmanager
    def at(started: Started) -> Iterator[Elsewhere]:
        relay = Relay(started.url)
        with httpx.Client(trust_env=False, timeout=None) as http, listening() as address:
            address.app = relay.app(http)
            state = {"database_url": postgres.app_url, "redis_url": valkey_url}
            changes = {**state, "engine_urls": address.base_url, "upstream_timeout_ms": LONG_MS}
            with opened(tmp_path_factory.mktemp("hospital"), films, database, changes) as hospital:
                yield Elsewhere(hospital, relay)

    with ExitStack() as running:
        yield lambda started: running.enter_context(at(started))


@pytest.mark.parametrize("peer", ["ray", "mlserver", "triton", "kserve"])
def test_a_pneumothorax_is_found_by_models_elsewhere_which_learn_of_nobody(
    peer: str, elsewhere: Callable[[Started], Elsewhere], request: pytest.FixtureRequest
) -> None:
    there = elsewhere(request.getfixturevalue(peer))
    prescreen = there.prescreen(there.signed("pneumothorax"))
    assert prescreen.missing == ()
    assert {f.key for f in prescreen.findings if f.probability >= 0.85} == {"pneumothorax"}
    infers = there.relay.infers()
    assert any(b"pixel_values" in sent for sent in infers)
    assert any(b"input_ids" in sent for sent in infers)
    for patient in there.hospital.patients.values():
        for word in (patient.id, *patient.name.split()):
            assert not any(word.encode() in sent for sent in infers)


def test_no_order_loses_a_part_when_a_node_dies(ray: Started, elsewhere: Callable[[Started], Elsewhere]) -> None:
    """However long Ray takes to see it: what was late for its answer is finished by the worker."""
    there = elsewhere(ray)
    with ThreadPoolExecutor(4) as clinicians:
        signed = [clinicians.submit(there.signed, "pneumothorax") for _ in range(ORDERS)]
        signed[1].result()
        os.kill(ray.nodes[0], signal.SIGKILL)
    assert [there.prescreen(each.result()).missing for each in signed] == [()] * ORDERS
    assert there.relay.infers()
