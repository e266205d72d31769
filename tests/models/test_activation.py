"""Which bundle is used is chosen by a person, written down, and holds for the bundle as it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cds.audit.verify import verify
from cds.engine.active import FILE, in_use, names_in_use
from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.models.activation import CHAIN, activate
from cds.settings import PACKAGE_ROOT, Settings
from cds.store.database import Database
from cds.store.embedded import EmbeddedPostgres
from tests import opened
from tests.master import MASTER_KEY


@pytest.fixture
def audited(settings: Settings, postgres: EmbeddedPostgres) -> Settings:
    return replace(
        settings, database_url=postgres.app_url, redis_url="redis://127.0.0.1:1/0", master_key=MASTER_KEY
    )


def copied(settings: Settings, name: str, **changes: object) -> Bundle:
    """The image bundle that ships, under another name."""
    place = settings.models_dir / name
    shutil.copytree(PACKAGE_ROOT / "models" / "chest-radiograph", place)
    manifest = json.loads((place / "bundle.json").read_text())
    (place / "bundle.json").write_text(json.dumps(manifest | {"name": name} | changes))
    return Bundle.load(place)


def test_where_nothing_was_activated_the_settings_say(settings: Settings) -> None:
    assert in_use(settings, "image").version.name == "chest-radiograph"
    assert names_in_use(settings)["fusion"] == "late-fusion"


def test_an_activated_bundle_is_used_and_the_change_is_audited(audited: Settings, database: Database) -> None:
    activate(audited, copied(audited, "mine"), by="Dr Ada")
    assert in_use(audited, "image").version.name == "mine"
    assert in_use(audited, "note").version.name == "clinical-note"
    with database.transaction(CHAIN) as connection:
        assert not verify(connection, CHAIN).broken
        event = opened.events(connection, CHAIN)[-1]
    said = json.dumps(event)
    assert in_use(audited, "image").version.digest in said
    assert "Dr Ada" in said
    assert event["subtype"][0]["code"] == "model-activated"


def test_an_untrained_bundle_is_never_used(audited: Settings) -> None:
    bundle = copied(audited, "blank", untrained=True)
    with pytest.raises(ModelError, match="untrained"):
        activate(audited, bundle, by="x")
    with pytest.raises(ModelError, match="untrained"):
        in_use(replace(audited, image_bundle="blank"), "image")


def test_a_bundle_that_cannot_be_run_is_never_used(audited: Settings) -> None:
    """As one may be that somebody put in place by hand: the engine would not start with it."""
    bundle = copied(audited, "narrow", outputs=list(range(100, 114)))
    with pytest.raises(ModelError, match="outputs that its network does not have"):
        activate(audited, bundle, by="x")
    assert not (audited.models_dir / FILE).exists()


def test_a_change_that_cannot_be_audited_does_not_happen(settings: Settings) -> None:
    unreachable = replace(
        settings,
        database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=1",
        redis_url="redis://127.0.0.1:1",
    )
    bundle = copied(settings, "mine")
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever the database raises)
        activate(unreachable, bundle, by="x")
    assert not (settings.models_dir / FILE).exists()
    assert in_use(settings, "image").version.name == "chest-radiograph"


def test_a_bundle_that_was_altered_since_must_be_chosen_anew(audited: Settings) -> None:
    bundle = copied(audited, "mine")
    activate(audited, bundle, by="x")
    file = bundle.directory / "bundle.json"
    file.write_text(file.read_text() + "\n")
    with pytest.raises(ModelError, match="altered since it was activated"):
        in_use(audited, "image")


@pytest.mark.parametrize("text", ["", "[]", '{"image": 1}', '{"image": {"bundle": "..", "digest": ""}}'])
def test_a_damaged_choice_is_said(settings: Settings, text: str) -> None:
    (settings.models_dir / FILE).write_text(text)
    with pytest.raises(ModelError, match="damaged"):
        in_use(settings, "image")


def test_a_fusion_cannot_stand_for_an_image_model(audited: Settings) -> None:
    Path(audited.models_dir / FILE).write_text('{"image": {"bundle": "late-fusion", "digest": ""}}')
    with pytest.raises(ModelError, match="of kind fusion"):
        in_use(audited, "image")
