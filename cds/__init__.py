"""Sightline: imaging decision support at the moment of ordering."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from cds.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The whole service, built on one page.

    Raises :class:`~cds.errors.ConfigurationError` or :class:`~cds.errors.ModelError` with one plain sentence where
    it must not start.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (a command that serves nothing loads nothing)

    import httpx  # noqa: PLC0415
    from flask import Flask  # noqa: PLC0415

    from cds import errors, health, hooks, smart  # noqa: PLC0415
    from cds.engine.bundles import Bundle  # noqa: PLC0415
    from cds.engine.local import LocalEngine  # noqa: PLC0415
    from cds.fusion.late import LateFusion  # noqa: PLC0415
    from cds.hooks.client_auth import ClientAuthentication  # noqa: PLC0415
    from cds.hooks.jwks import Jwks  # noqa: PLC0415
    from cds.keys import Keys  # noqa: PLC0415
