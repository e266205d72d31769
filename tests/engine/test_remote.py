"""The client's side of the Open Inference Protocol v2: the right version's numbers in time, or an error."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest
from flask import Response, redirect

from cds.deadline import Deadline
from cds.engine.image import ImageReader, black
from cds.engine.remote import remote_networks
from cds.engine.remote.fall_back import FallBack
from cds.engine.remote.network import RemoteNetwork
from cds.engine.remote.pace import ENOUGH
from cds.engine.remote.server import MAX_BODY_BYTES, Server
from cds.engine.served import messages
from cds.engine.served.messages import Asked
from cds.engine.version_number import version_number
from cds.errors import Away, Busy, ConfigurationError, EngineError, ModelError
from cds.settings import Settings
from cds.transport import Transport
from tests.engine.open_inference import (
    IMAGE,
    NOTE,
    OTHER,
    OpenInference,
    Reply,
    expected,
    honest,
    pictures,
    sent,
)
from tests.serving import Tls, listening

NOBODY = "http://127.0.0.1:9"
"""Nothing listens on the discard port."""
LONG_S = 20.0


@contextmanager
def dripping() -> Iterator[str]:
    """The address of a server whose headers never end."""
    over = threading.Event()

    class Dripping(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\nA: ")
                while not over.wait(0.02):
                    self.request.sendall(b"a")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()


@contextmanager
def running(server: OpenInference, tls: Tls | None = None) -> Iterator[OpenInference]:
    with listening(tls=tls) as address:
        address.app, server.url = server.app(), address.base_url
        yield server


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[OpenInference, OpenInference]]:
    with running(OpenInference()) as one, running(OpenInference()) as other:
        yield one, other


@pytest.fixture
def network() -> Iterator[Callable[..., RemoteNetwork]]:
    with httpx.Client(transport=Transport(), trust_env=False) as http, ThreadPoolExecutor(8) as threads:
        yield lambda *urls: RemoteNetwork([Server(http, url, IMAGE) for url in urls], threads, LONG_S)


@pytest.fixture
def server(servers: tuple[OpenInference, OpenInference]) -> OpenInference:
    return servers[0]


@pytest.fixture
def servers(
    started: tuple[OpenInference, OpenInference], network: Callable[..., RemoteNetwork]
) -> Iterator[tuple[OpenInference, OpenInference]]:
    """Two that run, honest to begin with; whoever hangs is released before the network ends."""
    yield started
    for server in started:
        server.honest_again()


class TestAnswers:
    @pytest.mark.parametrize("extensions", [["binary_tensor_data"], []], ids=["binary", "JSON"])
    def test_tensors_go_as_the_server_says_it_takes_them(
        self, extensions: list[str], server: OpenInference, network: Callable[..., RemoteNetwork]
    ) -> None:
        server.server = {**messages.SERVER, "extensions": extensions}
        np.testing.assert_array_equal(network(server.url)(pictures(3)), expected(pictures(3)))
        assert [asked.binary for asked in server.asked] == [bool(extensions)]

    def test_nothing_goes_there_but_the_tensors(
        self, server: OpenInference, network: Callable[..., RemoteNetwork]
    ) -> None:
        network(server.url)(pictures())
        (asked,) = server.asked
        assert (list(asked.inputs), asked.id) == (["pixel_values"], "")

    def test_servers_are_asked_in_turn(
        self, servers: tuple[OpenInference, OpenInference], network: Callable[..., RemoteNetwork]
    ) -> None:
        asking = network(*(server.url for server in servers))
        for _ in range(4):
            asking(pictures())
        assert [len(server.asked) for server in servers] == [2, 2]


def status(code: int) -> Reply:
    return lambda asked: Response(status=code)


def not_a_number(asked: Asked) -> Response:
    return sent(messages.answer(IMAGE, asked, np.full_like(expected(asked.inputs), np.nan)))


def one_row_less(asked: Asked) -> Response:
    return sent(messages.answer(IMAGE, asked, expected(asked.inputs)[1:]))


def one_finding_less(asked: Asked) -> Response:
    return sent(messages.answer(IMAGE, asked, expected(asked.inputs)[:, 1:]))


def another_version(asked: Asked) -> Response:
    return sent(messages.answer(OTHER, asked, expected(asked.inputs)))


def truncated(asked: Asked) -> Response:
    answer = messages.answer(IMAGE, asked, expected(asked.inputs))
    return Response(answer.body[:-7], headers=dict(answer.headers))


def broken_off(asked: Asked) -> Response:
    answer = messages.answer(IMAGE, asked, expected(asked.inputs))
    return Response(answer.body[:-7], headers={**answer.headers, "Content-Length": str(len(answer.body))})


def strings(asked: Asked) -> Response:
    output = {"name": "logits", "datatype": "BYTES", "shape": [2, 14], "parameters": {"binary_data_size": 3}}
    header = orjson.dumps({"model_version": "1", "outputs": [output]})
    return Response(header + b"\xff" * 3, headers={messages.HEADER_LENGTH: str(len(header))})


def larger_than_any_float(asked: Asked) -> Response:
    data = b'{"outputs": [{"name": "logits", "datatype": "FP32", "shape": [1, 1], "data": [1%s]}]}' % (b"0" * 400)
    return Response(data)


def endless(asked: Asked) -> Response:
    return Response(b" " * 65536 for _ in range(MAX_BODY_BYTES // 65536 + 2))


class TestWrongAnswers:
    """Nothing of them becomes a score."""

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (status(503), Busy),
            (status(429), Busy),
            (status(500), Away),
            (status(401), Away),
            (status(404), ModelError),
            (status(422), ModelError),
            (status(501), ModelError),
            (not_a_number, ModelError),
            (one_row_less, ModelError),
            (one_finding_less, ModelError),
            (another_version, ModelError),
            (truncated, Away),
            (broken_off, Away),
            (endless, Away),
            (lambda asked: Response("{}"), ModelError),
            (strings, Away),
            (larger_than_any_float, Away),
            (lambda asked: Response("[" * 100_000), Away),
            (lambda asked: Response("[1]"), Away),
            (lambda asked: Response("<html>"), Away),
            (lambda asked: redirect("/v2"), Away),
        ],
    )
    def test_each_is_an_error(
        self,
        reply: Reply,
        error: type[Exception],
        server: OpenInference,
        network: Callable[..., RemoteNetwork],
    ) -> None:
        server.reply = reply
        asking = network(server.url)
        with pytest.raises(error):
            asking(pictures(2))

    @pytest.mark.parametrize(
        "reply", [status(503), status(500), not_a_number, another_version, truncated, strings]
    )
    def test_another_server_answers_instead(
        self, reply: Reply, servers: tuple[OpenInference, OpenInference], network: Callable[..., RemoteNetwork]
    ) -> None:
        servers[0].reply = reply
        asking = network(*(server.url for server in servers))
        for _ in range(4):
            np.testing.assert_array_equal(asking(pictures()), expected(pictures()))

    def test_a_server_of_another_version_is_not_even_sent_the_tensors(
        self, network: Callable[..., RemoteNetwork]
    ) -> None:
        with running(OpenInference(runs=OTHER)) as server:
            asking = network(server.url)
            with pytest.raises(ModelError, match="has not chest-radiograph in version"):
                asking(pictures())
            assert server.asked == []


class TestVersionsWithoutAddresses:
    """KServe's own server has one version of each model, and names it in metadata and answers."""

    def test_the_model_is_asked_which_has_that_version(self, network: Callable[..., RemoteNetwork]) -> None:
        with running(OpenInference(versioned=False)) as server:
            np.testing.assert_array_equal(network(server.url)(pictures()), expected(pictures()))

    def test_a_model_of_another_version_is_not_even_sent_the_tensors(
        self, network: Callable[..., RemoteNetwork]
    ) -> None:
        with running(OpenInference(runs=OTHER, versioned=False)) as server:
            with pytest.raises(ModelError, match="has not chest-radiograph in version"):
                network(server.url)(pictures())
            assert server.asked == []

    def test_one_that_changes_meanwhile_is_refused(self, network: Callable[..., RemoteNetwork]) -> None:
        with running(OpenInference(versioned=False)) as server:
            asking = network(server.url)
            asking(pictures())
            server.reply = another_version
            with pytest.raises(ModelError, match="of the model answered"):
                asking(pictures())


class TestTime:
    def test_a_server_that_hangs_costs_the_deadline_and_no_more(
        self, server: OpenInference, network: Callable[..., RemoteNetwork]
    ) -> None:
        server.reply = server.hang
        asking = network(server.url)
        with pytest.raises(Away):
            asking(pictures(), Deadline.after(300))

    def test_what_takes_longer_than_usual_is_asked_of_another_too(
        self, servers: tuple[OpenInference, OpenInference], network: Callable[..., RemoteNetwork]
    ) -> None:
        asking = network(*(server.url for server in servers))
        for _ in range(ENOUGH):
            asking(pictures())
        servers[0].reply = servers[0].hang
        for _ in range(4):
            np.testing.assert_array_equal(asking(pictures()), expected(pictures()))

    def test_nothing_is_sent_when_it_is_too_late(
        self, server: OpenInference, network: Callable[..., RemoteNetwork]
    ) -> None:
        asking = network(server.url)
        with pytest.raises(EngineError):
            asking(pictures(), Deadline.after(0))
        assert server.asked == []


class TestLoss:
    """A replica or a machine that dies loses no request."""

    def test_nobody_listens_at_one_address(
        self, server: OpenInference, network: Callable[..., RemoteNetwork]
    ) -> None:
        asking = network(NOBODY, server.url)
        for _ in range(4):
            np.testing.assert_array_equal(asking(pictures()), expected(pictures()))

    def test_nobody_listens_at_any(self, network: Callable[..., RemoteNetwork]) -> None:
        with pytest.raises(Away):
            network(NOBODY, NOBODY)(pictures())

    def test_a_replica_that_breaks_off_is_followed_by_another_at_the_same_address(
        self, server: OpenInference, network: Callable[..., RemoteNetwork]
    ) -> None:

        def once(asked: Asked) -> Response:
            server.reply = honest
            return Response(status=500)

        server.reply = once
        np.testing.assert_array_equal(network(server.url)(pictures()), expected(pictures()))

    def test_the_other_network_answers_where_the_first_does_not(
        self, network: Callable[..., RemoteNetwork]
    ) -> None:
        both = FallBack(network(NOBODY), lambda inputs, deadline=None: expected(inputs))
        np.testing.assert_array_equal(both(pictures()), expected(pictures()))


class TestConfigured:
    """``CDS_ENGINE_URLS`` and its like."""

    def networks(self, urls: str, **settings: object) -> object:
        return remote_networks(Settings(engine_urls=urls, **settings), IMAGE, NOTE)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "url", ["ftp://engine", "https://user:secret@engine", "engine:8000", "http://engine:99999"]
    )
    def test_an_address_that_is_none(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="CDS_ENGINE_URLS"):
            self.networks(f"{NOBODY},{url}")

    def test_an_authority_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="CDS_ENGINE_CA"):
            self.networks(NOBODY, engine_ca=tmp_path / "none.pem")

    def test_a_server_with_another_model_keeps_the_service_from_starting(self) -> None:
        with (
            running(OpenInference(runs=OTHER)) as server,
            pytest.raises(ModelError, match="has not chest-radiograph"),
        ):
            self.networks(server.url)

    def test_one_that_is_away_does_not(self) -> None:
        self.networks(NOBODY)

    def test_one_whose_headers_never_end_holds_nobody_beyond_the_time_limit(self) -> None:
        with dripping() as url:
            self.networks(url, upstream_timeout_ms=200)

    def test_the_token_goes_to_the_address_and_the_authority_is_believed(self, tmp_path: Path) -> None:
        # It runs the image's model alone.
        with (
            running(OpenInference(), Tls.new(tmp_path)) as server,
            pytest.raises(ModelError, match="clinical-note"),
        ):
            self.networks(server.url, engine_token="t0ken", engine_ca=tmp_path / "tls.crt")
        assert server.authorizations == {"Bearer t0ken"}

    def test_a_certificate_of_strangers_is_not_believed(self, tmp_path: Path) -> None:
        with running(OpenInference(), Tls.new(tmp_path)) as server:
            self.networks(server.url)
        assert server.authorizations == set()

    def test_this_machine_scores_where_no_server_does_and_it_is_so_configured(self) -> None:
        image, _ = remote_networks(
            Settings(engine_urls=NOBODY, engine_fallback="local", device="cpu"), IMAGE, NOTE
        )
        remote, local = ImageReader(IMAGE, image), ImageReader.load(IMAGE, "cpu")
        assert remote.score(black(IMAGE)) == local.score(black(IMAGE))

    def test_this_machine_too_begins_nothing_that_is_late(self) -> None:
        image, _ = remote_networks(
            Settings(engine_urls=NOBODY, engine_fallback="local", device="cpu"), IMAGE, NOTE
        )
        with pytest.raises(Busy):
            image(pictures(), Deadline.after(0))


def test_a_version_is_told_as_a_number_that_triton_takes() -> None:
    assert version_number(OTHER.version) == str(16**15 - 1)
    assert int(version_number(OTHER.version)) < 2**63
