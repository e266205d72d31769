"""The acting side of the EHR: the CDS client, and the page at which a clinician writes orders."""

from __future__ import annotations

from flask import Flask

from cds.sandbox.ehr import page, signing  # noqa: F401 - they put their routes on the blueprint
from cds.sandbox.ehr.blueprint import EXTENSION, Ehr, bp

__all__ = ["EXTENSION", "Ehr", "init_app"]


def init_app(app: Flask, ehr: Ehr) -> None:
    """Serve the page at ``/``."""
    app.extensions[EXTENSION] = ehr
    app.register_blueprint(bp)
