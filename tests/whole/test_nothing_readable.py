"""Whoever takes the database, or Valkey's directory, learns nothing of a patient and nothing that opens a door."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from cds.ehr.backend_services import BackendServices
from cds.keys import Keys
from cds.sandbox.patients.cases import CASES
from cds.settings import PACKAGE_ROOT
from cds.smart.session import Session, Sessions
from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import DATABASE, SUPERUSER
from cds.store.valkey import Valkey
from tests.hospital import Hospital

NOTES = PACKAGE_ROOT / "cds" / "sandbox" / "patients" / "notes"
WORDS_OF_A_PHRASE = 4
HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{4,}")
WORD = re.compile(rb"[a-z]+")


@pytest.fixture(scope="module")
def tokens(hospital: Hospital) -> set[str]:
    """Every sample patient was prescreened, a clinician is signed in: the tokens that it took."""
    seen: set[str] = set()
    with pytest.MonkeyPatch.context() as watching:
        asked = BackendServices._ask

        def noted(self: BackendServices, *arguments: Any) -> Any:
            answer = asked(self, *arguments)
            seen.add(answer.value)
            return answer

        watching.setattr(BackendServices, "_ask", noted)
        for patient in hospital.patients.values():
            hospital.sign(patient.id)
        hospital.work()
    seen.add(signed_in(hospital))
    return seen


def signed_in(hospital: Hospital) -> str:
    session = Session(
        fhir_server=hospital.sandbox.fhir_base,
        patient_id=next(iter(hospital.patients)),
        user_issuer=hospital.sandbox.fhir_base,
        user_subject="subject-of-the-clinician",
        fhir_user="Practitioner/voss-hartley",
        scope="openid",
        access_token="token-of-the-session",
        expires=time.time() + 600,
        ends=time.time() + 600,
    )
    Sessions(Valkey(hospital.settings.redis_url), Keys.load(hospital.settings).session).begin(session)
    return session.access_token


def dump(postgres: EmbeddedPostgres) -> bytes:
    """Every row of every table, Procrastinate's too, as a superuser copies it."""
    with psycopg.connect(postgres._url(SUPERUSER, DATABASE)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 12
        return b"\n".join(copied(connection, table) for (table,) in tables)


def copied(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as copy:
        return b"".join(map(bytes, copy))


def files_of_valkey(hospital: Hospital) -> bytes:
    with redis.Redis.from_url(hospital.settings.redis_url) as client:
        client.execute_command("WAITAOF", 1, 0, 5000)
        directory = Path(client.config_get("dir")["dir"])
    return b"\n".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def identifiers(hospital: Hospital) -> Iterator[str]:
    for case in CASES:
        person = case.person
        yield from (person.family, person.mrn, person.phone, person.street)
        if len(person.given) > 4:
            yield person.given
    for patient in hospital.patients.values():
        yield patient.id
        for entry in patient.bundle["entry"]:
            if entry["resource"]["resourceType"] in ("DocumentReference", "ImagingStudy", "ServiceRequest"):
                yield entry["resource"]["id"]


def phrases() -> Iterator[str]:
    """Runs of words from every note."""
    for note in NOTES.glob("*.txt"):
        words = re.findall(r"[A-Za-z]{3,}", note.read_text())
        yield from (
            " ".join(words[start : start + WORDS_OF_A_PHRASE])
            for start in range(0, len(words) - WORDS_OF_A_PHRASE, WORDS_OF_A_PHRASE)
        )


def found_in(kept: bytes, secrets: set[str]) -> list[str]:
    """Those that stand there: as text, and as the hexadecimal digits of bytea."""
    text = b"\n".join([kept, *from_hexadecimal(kept)]).lower()
    words = set(WORD.findall(text))
    return sorted(secret for secret in secrets if stands_in(text, words, secret.lower().encode()))


def from_hexadecimal(kept: bytes) -> Iterator[bytes]:
    for digits in HEXADECIMAL.findall(kept):
        for start in (0, 1):
            pairs = (len(digits) - start) // 2
            yield bytes.fromhex(digits[start : start + 2 * pairs].decode())


def stands_in(text: bytes, words: set[bytes], secret: bytes) -> bool:
    """``words``: of ``text``; of what is in it all whole words are, which takes far less time to tell."""
    return words.issuperset(WORD.findall(secret)[1:-1]) and secret in text


def test_the_search_would_find_them(hospital: Hospital, tokens: set[str]) -> None:
    patient = next(iter(hospital.patients))
    assert found_in(f"... {patient} ...".encode(), set(identifiers(hospital))) == [patient]
    assert found_in(patient.encode().hex().encode(), {patient}) == [patient]
    phrase = next(phrases())
    for kept in (f"...Un{phrase}ly...".encode(), f"a{phrase.upper()}ly".encode()):
        assert found_in(kept, {phrase}) == [phrase]
        assert found_in(b"a" + kept.hex().encode(), {phrase}) == [phrase]
    assert tokens  # the clinician's; and ours for the EHR, unless an earlier test's still serve
    assert len(set(phrases())) > 200


def test_the_database(hospital: Hospital, postgres: EmbeddedPostgres, tokens: set[str]) -> None:
    kept = dump(postgres)
    assert len(kept) > 100_000
    assert found_in(kept, set(identifiers(hospital)) | tokens | set(phrases())) == []


def test_the_files_of_valkey(hospital: Hospital, tokens: set[str]) -> None:
    kept = files_of_valkey(hospital)
    assert b"smart:session" in kept
    assert found_in(kept, set(identifiers(hospital)) | tokens | set(phrases())) == []
