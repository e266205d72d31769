"""The master key: in the environment, in the keys file, or in a KMS that a plug-in reaches."""

import sys
from base64 import urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from cds.errors import ConfigurationError
from cds.keys import Keys, add_master, write_new
from cds.settings import Settings
from cds.store import master_key

FIRST, SECOND = (urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    write_new(tmp_path / "keys.json")
    return Keys.load(Settings(keys_file=tmp_path / "keys.json"))


def named(keys: Keys, master: str = "") -> master_key.MasterKeys:
    return master_key.from_settings(Settings(master_key=master), keys)


def test_what_it_wraps_it_alone_unwraps(keys: Keys) -> None:
    wrapped = named(keys, FIRST).encrypt(b"key", b"tenant")
    assert named(keys, FIRST).decrypt(wrapped, b"tenant") == b"key"
    for other, bound in ((SECOND, b"tenant"), ("", b"tenant"), (FIRST, b"another")):
        with pytest.raises(ConfigurationError, match="CDS_MASTER_KEY"):
            named(keys, other).decrypt(wrapped, bound)


def test_the_first_wraps_and_the_others_still_unwrap(keys: Keys) -> None:
    old = named(keys, FIRST).encrypt(b"key", b"")
    both = named(keys, f"{SECOND} {FIRST}")
    assert both.decrypt(old, b"") == b"key"
    assert named(keys, SECOND).decrypt(both.encrypt(b"key", b""), b"") == b"key"


def test_a_new_one_in_the_keys_file_stands_before_the_old(tmp_path: Path, keys: Keys) -> None:
    old = named(keys).encrypt(b"key", b"")
    add_master(tmp_path / "keys.json")
    renewed = Keys.load(Settings(keys_file=tmp_path / "keys.json"))
    assert renewed.master[1:] == keys.master
    assert renewed.signing.all.as_dict() == keys.signing.all.as_dict()
    assert named(renewed).decrypt(old, b"") == b"key"
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError):
        named(keys).decrypt(named(renewed).encrypt(b"key", b""), b"")


def test_production_without_one_is_told_what_to_do(keys: Keys) -> None:
    with pytest.raises(ConfigurationError, match="cds keys master"):
        named(replace(keys, master=()))


@pytest.mark.parametrize("text", ["short", "x" * 43 + "!", "no-such-kms://key"])
def test_what_is_no_key_is_named(keys: Keys, text: str) -> None:
    with pytest.raises(ConfigurationError, match="CDS_MASTER_KEY"):
        named(keys, text)


def test_a_kms_is_reached_by_an_installed_plug_in(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hospital_kms.py").write_text(
        "from cds.store.master_key import LocalMasterKey\n"
        "def opened(uri):\n"
        "    if uri != 'hospital-kms://keys/1':\n"
        "        raise PermissionError(uri)\n"
        "    return LocalMasterKey(bytes(32))\n"
    )
    metadata = tmp_path / "hospital_kms-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hospital-kms\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[sightline.kms]\nhospital-kms = hospital_kms:opened\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    wrapped = named(keys, "hospital-kms://keys/1").encrypt(b"key", b"")
    assert named(keys, f"{FIRST} hospital-kms://keys/1").decrypt(wrapped, b"") == b"key"
    with pytest.raises(ConfigurationError, match=r"cannot be used \(PermissionError\)"):
        named(keys, "hospital-kms://keys/2")
    sys.modules.pop("hospital_kms", None)
