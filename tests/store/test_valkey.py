"""A value that cannot be read is a miss; a mark that cannot be set is an error."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
