"""Sessions: encrypted at rest, each in its place, and over in time (checklist, "Using and ending the token")."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest
import redis

from cds.smart.refusals import SessionExpired
from cds.smart.session import IDLE_S, Sealed, Session, Sessions, new_secret
from cds.store.embedded import EmbeddedValkey
from cds.store.valkey import Valkey

KEY = b"k" * 32

SESSION = Session(
    fhir_server="https://ehr.example/fhir",
    patient_id="patient-4711",
    user_issuer="https://ehr.example/fhir",
    user_subject="user-0815",
    fhir_user="Practitioner/user-0815",
    scope="patient/Patient.r",
    access_token="secret-token",
    expires=time.time() + 3600,
    ends=time.time() + 3600,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """One whose raw content the test may look at."""
    with EmbeddedValkey(tmp_path_factory.mktemp("sessions")) as server:
        yield server


@pytest.fixture
def valkey(server: EmbeddedValkey) -> Iterator[Valkey]:
    valkey = Valkey(server.url)
    yield valkey
    valkey.close()


@pytest.fixture
def raw(server: EmbeddedValkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as raw:
        raw.flushdb()
        yield raw


def test_whoever_reads_valkey_learns_nothing(valkey: Valkey, raw: redis.Redis) -> None:
    secret = Sessions(valkey, KEY).begin(SESSION)
    (place,) = raw.keys()
    held = raw.get(place)
    for value in (secret, "secret-token", "patient-4711", "user-0815", "ehr.example"):
        assert value.encode() not in place + held


def test_what_was_kept_comes_back(valkey: Valkey) -> None:
    sessions = Sessions(valkey, KEY)
    assert sessions.get(sessions.begin(SESSION)) == SESSION


def test_a_value_moved_to_another_place_is_no_session(valkey: Valkey, raw: redis.Redis) -> None:
    sessions = Sessions(valkey, KEY)
    mine = sessions.begin(SESSION)
    (my_place,) = raw.keys()
    theirs = sessions.begin(replace(SESSION, patient_id="p2"))
    (their_place,) = set(raw.keys()) - {my_place}
    raw.set(my_place, raw.get(their_place))
    with pytest.raises(SessionExpired):
        sessions.get(mine)
    assert sessions.get(theirs).patient_id == "p2"


@pytest.mark.parametrize("value", [b'"AAAA"', b'""', b"5", b"null", b'"%%"', b"[]"])
def test_a_forged_value_is_no_session(value: bytes, valkey: Valkey, raw: redis.Redis) -> None:
    sessions = Sessions(valkey, KEY)
    secret = sessions.begin(SESSION)
    (place,) = raw.keys()
    raw.set(place, value)
    with pytest.raises(SessionExpired):
        sessions.get(secret)


def test_another_key_or_kind_opens_nothing(valkey: Valkey) -> None:
    secret = new_secret()
    Sealed(valkey, KEY, "session").put(secret, asdict(SESSION), 60)
    assert Sealed(valkey, b"x" * 32, "session").get(secret) is None
    assert Sealed(valkey, KEY, "launch").get(secret) is None


def test_of_two_who_take_one_gets_it(valkey: Valkey) -> None:
    sealed = Sealed(valkey, KEY, "launch")
    sealed.put("s", {"a": 1}, 60)
    assert [sealed.take("s"), sealed.take("s")] == [{"a": 1}, None]


def test_it_lives_while_it_is_used_and_no_longer(valkey: Valkey, raw: redis.Redis) -> None:
    sessions = Sessions(valkey, KEY)
    secret = sessions.begin(SESSION)
    (place,) = raw.keys()
    raw.expire(place, 5)
    sessions.get(secret)
    assert IDLE_S - 5 < raw.ttl(place) <= IDLE_S
    raw.delete(place)
    with pytest.raises(SessionExpired):
        sessions.get(secret)


def test_it_ends_with_its_token(valkey: Valkey, raw: redis.Redis) -> None:
    now = [time.time()]
    sessions = Sessions(valkey, KEY, clock=lambda: now[0])
    secret = sessions.begin(replace(SESSION, ends=now[0] + 60))
    (place,) = raw.keys()
    assert raw.ttl(place) <= 60
    now[0] += 61
    with pytest.raises(SessionExpired):
        sessions.get(secret)
    assert raw.keys() == []


def test_a_session_of_another_version_is_none(valkey: Valkey) -> None:
    sealed = Sealed(valkey, KEY, "session")
    sealed.put("s", {"patient": "p1"}, 60)
    with pytest.raises(SessionExpired):
        Sessions(valkey, KEY).get("s")


@pytest.mark.parametrize("secret", [None, "", "guessed"])
def test_a_secret_that_is_not_ours_is_no_session(secret: str | None, valkey: Valkey) -> None:
    with pytest.raises(SessionExpired):
        Sessions(valkey, KEY).get(secret)


def test_a_token_is_not_shown_when_a_session_is_printed() -> None:
    assert "secret-token" not in repr(SESSION)
