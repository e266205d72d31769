"""The EHR's authorization server: SMART App Launch 2.2, a file per chapter."""

from __future__ import annotations

from flask import Flask

from cds.sandbox.oauth import authorize, discovery, introspect, revoke, token
from cds.sandbox.oauth.server import EXTENSION, AuthorizationServer

__all__ = ["AuthorizationServer", "init_app"]


def init_app(app: Flask, server: AuthorizationServer) -> None:
    """Serve ``server`` at ``/oauth`` and its metadata at the well-known addresses."""
    app.extensions[EXTENSION] = server
    for chapter in (discovery, authorize, token, introspect, revoke):
        app.register_blueprint(chapter.bp)
