"""The acting side of the EHR: the CDS client, and the page at which a clinician writes orders."""

from __future__ import annotations

from flask import Flask

from cds.sandbox.ehr import page
from cds.sandbox.ehr.page import EXTENSION, Ehr

__all__ = ["EXTENSION", "Ehr", "init_app"]


def init_app(app: Flask, ehr: Ehr) -> None:
    """Serve the page at ``/``."""
    app.extensions[EXTENSION] = ehr
    app.register_blueprint(page.bp)
