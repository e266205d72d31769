"""Settings: typed, from the environment, each one explained."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cds.errors import ConfigurationError
from cds.settings import PACKAGE_ROOT, Settings

ENVIRONMENT_FILE = (PACKAGE_ROOT / "deploy" / "sightline.env").read_text()


def test_every_setting_stands_in_the_environment_file_and_none_besides() -> None:
    explained = set(re.findall(r"^(?:# )?(CDS_[A-Z_]+)=", ENVIRONMENT_FILE, re.MULTILINE))
    assert explained == {f"CDS_{field.name.upper()}" for field in fields(Settings)}


def test_the_defaults_shown_are_the_defaults() -> None:
    shown = dict(re.findall(r"^# (CDS_[A-Z_]+)=(.*)$", ENVIRONMENT_FILE, re.MULTILINE))
    shown = {k: v for k, v in shown.items() if k not in ("CDS_DATABASE_ADMIN_URL", "CDS_MODELS_DIR")}
    assert Settings.from_environment(shown) == Settings()


def test_values_are_typed() -> None:
    settings = Settings.from_environment({"CDS_PORT": "9", "CDS_DATA_DIR": "/srv/x", "CDS_ENV": "production"})
    assert (settings.port, settings.data_dir, settings.production) == (9, Path("/srv/x"), True)


@pytest.mark.parametrize(("name", "value"), [("CDS_PORT", "http"), ("CDS_ENV", "prod")])
def test_what_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({name: value})


def test_the_base_url_has_no_slash_at_its_end() -> None:
    assert Settings(public_url="https://cds.example/").base_url == "https://cds.example"
    assert Settings(port=9).base_url == "http://127.0.0.1:9"


def test_what_is_passed_on_is_what_was_read() -> None:
    settings = Settings(port=9, redis_url="redis://x", registrations_file=Path("/r.json"))
    assert Settings.from_environment(settings.as_environment()) == settings


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="CDS_DATA_DIR"):
        Settings(data_dir=tmp_path / "file" / "inside").home()
