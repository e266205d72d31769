"""A value that cannot be read is a miss; a mark that cannot be set is an error."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest

from cds.errors import Unreachable
from cds.store.embedded import EmbeddedValkey
from cds.store.valkey import Valkey


def test_a_mark_is_new_once(valkey: Valkey) -> None:
    key = f"jti:{uuid4()}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: valkey.once(key, 60), range(32)))
    assert answers.count(True) == 1


def test_a_mark_whose_answer_was_lost_is_still_new(valkey_url: str, tmp_path: Path) -> None:
    """What was set, and asked for again because nothing was heard of it, is not somebody else's."""
    with losing_one_answer(valkey_url, tmp_path / "between.sock") as url:
        valkey = Valkey(url)
        key = f"jti:{uuid4()}"
        assert [valkey.once(key, 60), valkey.once(key, 60)] == [True, False]
        valkey.close()


def test_a_mark_ends_with_its_time(valkey: Valkey) -> None:
    key = f"jti:{uuid4()}"
    assert valkey.once(key, 0.05)
    time.sleep(0.1)
    assert valkey.once(key, 0.05)


def test_a_count_is_of_all_who_count(valkey: Valkey) -> None:
    key = f"rate:{uuid4()}"
    with ThreadPoolExecutor(8) as pool:
        windows = list(pool.map(lambda _: valkey.count(key, 60), range(32)))
    assert sorted(window.count for window in windows if window) == list(range(1, 33))
    assert all(59 < window.seconds_left <= 60 for window in windows if window)


def test_a_count_ends_with_the_window_that_the_first_opened(valkey: Valkey) -> None:
    key = f"rate:{uuid4()}"
    valkey.count(key, 0.3)
    time.sleep(0.2)
    within = valkey.count(key, 0.3)
    assert within
    assert (within.count, within.seconds_left <= 0.1) == (2, True)
    time.sleep(0.2)
    after = valkey.count(key, 0.3)
    assert after
    assert after.count == 1


def test_values_come_back_until_their_time_is_over(valkey: Valkey) -> None:
    key = str(uuid4())
    assert valkey.get(key) is None
    valkey.put(key, {"a": [1, None]}, 0.2)
    assert valkey.get(key) == {"a": [1, None]}
    time.sleep(0.3)
    assert valkey.get(key) is None


def test_a_value_is_taken_once(valkey: Valkey) -> None:
    key = str(uuid4())
    valkey.put(key, "state", 60)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: valkey.take(key), range(8)))
    assert answers.count("state") == 1
    assert answers.count(None) == 7


def test_a_value_is_forgotten(valkey: Valkey) -> None:
    key = str(uuid4())
    valkey.put(key, 1, 60)
    valkey.forget(key)
    assert valkey.get(key) is None


def test_away_a_value_is_a_miss_and_a_mark_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedValkey(tmp_path) as server:
        valkey = Valkey(server.url)
        valkey.put("key", 1, 60)
    with caplog.at_level(logging.WARNING):
        assert [valkey.get("key"), valkey.take("key"), valkey.put("key", 2, 60)] == [None, None, None]
    assert len(caplog.records) == 1
    assert valkey.count("rate", 60) is None
    with pytest.raises(Unreachable):
        valkey.once("jti", 60)
    with pytest.raises(Unreachable):
        valkey.ping()
    with server:
        assert valkey.once("jti", 60)
        assert valkey.get("key") == 1
    valkey.close()


@contextmanager
def losing_one_answer(url: str, path: Path) -> Iterator[str]:
    """The same Valkey behind a line that breaks after the first SET, which is carried out, before its answer."""
    broke = threading.Event()

    def relay(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(unquote(urlsplit(url).path))
            while command := client.recv(65536):
                server.sendall(command)
                answer = server.recv(65536)
                if b"\r\nSET\r\n" in command and not broke.is_set():
                    broke.set()
                    return
                client.sendall(answer)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=relay, args=(client,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield url.replace(urlsplit(url).path, str(path))
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
    assert broke.is_set()
