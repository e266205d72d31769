"""Putting a bundle to use: written down in the audit trail first, then in ``active.json``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cds.audit import balp, chain
from cds.audit.balp import Exchange, User
from cds.audit.trail import party
from cds.databases import opened, reached, upgrade
from cds.engine.active import FILE, with_choice
from cds.engine.bundles import Bundle
from cds.errors import ModelError
from cds.models.selftest import self_test
from cds.settings import Settings
from cds.store import withdrawn_models
from cds.store.database import Database
from cds.store.withdrawn_models import SERVICE

CHAIN = SERVICE
"""The chain of what concerns every tenant: `cds audit verify service`."""


def activate(settings: Settings, bundle: Bundle, by: str) -> None:
    """The service uses ``bundle`` for its role from its next start on; ``by`` names the person who chose it.

    Raises :class:`ModelError` where the bundle is untrained, cannot be run, was withdrawn, or the choice cannot be
    written, and what the database raises where it cannot be audited: then nothing has changed.
    """
    if bundle.untrained:
        raise ModelError(f"model bundle {bundle.directory.name} is untrained: its scores mean nothing")
    if bundle.version.kind in ("image", "note"):
        # It may have been put in place by hand: an engine that cannot run it would not start.
        self_test(settings, bundle)
    chosen = _prepared(settings.models_dir, with_choice(settings.models_dir, bundle))
    try:
        _audit(settings, bundle, by)
        os.replace(chosen, settings.models_dir / FILE)
    finally:
        chosen.unlink(missing_ok=True)


def _prepared(models_dir: Path, text: str) -> Path:
    """The new ``active.json`` beside the old one, so that taking its place cannot fail half-way."""
    try:
        handle, name = tempfile.mkstemp(prefix=".active-", dir=models_dir)
    except OSError as wrong:
        raise ModelError(f"CDS_MODELS_DIR {models_dir} cannot be written to: {wrong.strerror}") from None
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    Path(name).chmod(0o644)
    return Path(name)


def _audit(settings: Settings, bundle: Bundle, by: str) -> None:
    us = party(settings.base_url)
    event = balp.model_activated(Exchange(us, us, us, user=User("urn:sightline:operator", by)), bundle.version)
    with reached(settings) as running:
        if not settings.database_url:
            upgrade(running)
        with opened(running) as database:
            _refuse_withdrawn(database, bundle)
            with database.transaction(CHAIN) as connection:
                chain.append(connection, CHAIN, event)


def _refuse_withdrawn(database: Database, bundle: Bundle) -> None:
    """A bundle is used for every tenant: one that withdrew it is enough."""
    for tenant in sorted({*database.tenants(), SERVICE}):
        with database.transaction(tenant) as connection:
            if bundle.version.digest in withdrawn_models.digests_of(connection, tenant):
                raise ModelError(f"model bundle {bundle.directory.name} was withdrawn ({tenant}) and stays so")
