"""Which bundle the service uses: the one that was activated, or else the one that the settings name.

``active.json`` in the models directory holds, by role, a bundle's name and the digest that it had when a person
chose it. :mod:`cds.models.activation` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.settings import Settings

FILE = "active.json"

Kind = Literal["image", "note", "fusion", "quality"]
CT = "image/CT/"
"""So begin the roles of CT bundles (:attr:`~cds.engine.bundles.Bundle.role`)."""


def in_use(settings: Settings, kind: Kind) -> Bundle:
    """Raise :class:`ModelError` where it was altered since it was activated, is untrained, or does not load."""
    name, digest = _choices(settings.models_dir).get(kind, (_of_the_settings(settings, kind), ""))
    return _usable(settings, name, digest, kind)


def ct_in_use(settings: Settings) -> list[Bundle]:
    """The CT bundles that were activated, one for each part of the body; none is unless somebody brought it.

    Raises :class:`ModelError` as :func:`in_use` does.
    """
    choices = sorted(_choices(settings.models_dir).items())
    return [_usable(settings, *choice, role) for role, choice in choices if role.startswith(CT)]


def _usable(settings: Settings, name: str, digest: str, role: str) -> Bundle:
    bundle = Bundle.load(settings.models_dir / name)
    if bundle.role != role:
        raise ModelError(f"model bundle {name} is of kind {bundle.role}, not {role}")
    if digest and bundle.version.digest != digest:
        raise ModelError(f"model bundle {name} was altered since it was activated; activate it anew")
    if bundle.untrained:
        raise ModelError(f"model bundle {name} is untrained: its scores mean nothing")
    return bundle


def names_in_use(settings: Settings) -> dict[str, str]:
    """The name of the bundle of each role, whether or not it loads."""
    named = {kind: _of_the_settings(settings, kind) for kind in get_args(Kind)}
    return named | {kind: name for kind, (name, _) in _choices(settings.models_dir).items()}


def with_choice(models_dir: Path, bundle: Bundle) -> str:
    """The text of ``active.json`` with ``bundle`` chosen for its role."""
    choices = {**_choices(models_dir), bundle.role: (bundle.directory.name, bundle.version.digest)}
    return json.dumps(
        {kind: {"bundle": name, "digest": digest} for kind, (name, digest) in choices.items()}, indent=1
    )


def _choices(models_dir: Path) -> Mapping[str, tuple[str, str]]:
    try:
        text = (models_dir / FILE).read_text()
    except FileNotFoundError:
        return {}
    except OSError as wrong:
        raise ModelError(f"{FILE} cannot be read: {wrong.strerror}") from None
    try:
        return {kind: (_name(choice["bundle"]), choice["digest"]) for kind, choice in json.loads(text).items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ModelError(
            f"{FILE} in the models directory is damaged; remove it or activate a bundle anew"
        ) from None


def _name(name: str) -> str:
    if Path(name).name != name or name in ("", ".."):
        raise ValueError
    return name


def _of_the_settings(settings: Settings, kind: Kind) -> str:
    return {
        "image": settings.image_bundle,
        "note": settings.note_bundle,
        "fusion": settings.fusion_bundle,
        "quality": settings.quality_bundle,
    }[kind]
