"""Our signing keys, one after another (client-confidential-asymmetric.html, "Registering a client")."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds.cli import main
from cds.keys import Keys, add_signing, write_new
from cds.settings import Settings
from cds.signing_keys import AFTER_S, AHEAD_S, SigningKeys

DAY = 24 * 3600


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A keys file as of the first of January."""
    path = tmp_path / "keys.json"
    write_new(path)
    held = json.loads(path.read_text())
    for entry in held["signing"]:
        entry["iat"] = 0
    path.write_text(json.dumps(held))
    return path


def read(file: Path) -> SigningKeys:
    return Keys.load(replace(Settings(), keys_file=file)).signing


def kids(keys: SigningKeys, now: float) -> list[str]:
    return [key["kid"] for key in keys.published(now)["keys"]]


def test_the_first_keys_sign_at_once(file: Path) -> None:
    keys = read(file)
    assert keys.signer((), 0).alg == "ES384"
    assert keys.signer(["RS384"], 0).alg == "RS384"


def test_what_the_server_can_verify_is_used_and_the_better_of_it(file: Path) -> None:
    keys = read(file)
    for algorithms, used in ((["RS384"], "RS384"), (["RS384", "ES384"], "ES384"), (["PS256"], "ES384")):
        assert keys.signer(algorithms, DAY).alg == used


def test_a_new_key_is_published_a_day_before_it_signs_and_the_old_one_a_day_after(file: Path) -> None:
    old = read(file).signer((), DAY)
    add_signing(file, now=100 * DAY)
    keys = read(file)
    begins, over = 100 * DAY + AHEAD_S, 100 * DAY + AHEAD_S + AFTER_S
    assert len(kids(keys, 100 * DAY)) == 4
    assert keys.signer((), begins - 1).kid == old.kid
    new = keys.signer((), begins)
    assert new.kid != old.kid
    assert {new.kid, old.kid} <= set(kids(keys, over - 1))
    assert new.kid in kids(keys, over)
    assert old.kid not in kids(keys, over)


def test_rotated_twice_in_a_day_there_is_always_one_that_signs_and_is_published(file: Path) -> None:
    for hour in (0, 1):
        add_signing(file, now=100 * DAY + hour * 3600)
    keys = read(file)
    for hour in range(0, 80):
        now = 100 * DAY + (1 + hour) * 3600
        assert keys.signer((), now).kid in kids(keys, now)


def test_of_a_key_that_is_over_only_the_public_half_is_kept(file: Path) -> None:
    add_signing(file, now=100 * DAY)
    add_signing(file, now=200 * DAY)
    held = json.loads(file.read_text())["signing"]
    assert ["d" in entry for entry in held] == [True] * 4 + [False] * 2
    # What it signed, an audit checkpoint, can still be verified.
    assert len(read(file).all.keys) == 6


def test_the_other_secrets_stay(file: Path) -> None:
    before = json.loads(file.read_text())
    add_signing(file, now=100 * DAY)
    after = json.loads(file.read_text())
    assert {**before, "signing": []} == {**after, "signing": []}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_of_before_there_were_times_still_signs(file: Path) -> None:
    held = json.loads(file.read_text())
    held["signing"] = [{name: value for name, value in held["signing"][0].items() if name != "iat"}]
    file.write_text(json.dumps(held))
    old = read(file).signer((), 100 * DAY)
    add_signing(file, now=100 * DAY)
    assert read(file).signer((), 100 * DAY).kid == old.kid
    assert read(file).signer((), 102 * DAY).kid != old.kid


def test_the_command(file: Path) -> None:
    result = CliRunner().invoke(main, ["keys", "signing", str(file)])
    assert result.exit_code == 0
    assert "restart the service" in result.output
    assert len(read(file).all.keys) == 4
