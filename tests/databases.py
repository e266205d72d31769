"""Databases of their own in the one server that runs."""

from __future__ import annotations

from uuid import uuid4

import psycopg
from psycopg import sql

from cds.store.embedded import EmbeddedPostgres
from cds.store.embedded.postgres import OWNER, SUPERUSER


def another(postgres: EmbeddedPostgres) -> tuple[str, str]:
    """The URLs of owner and application for a database that is still empty."""
    name = f"another_{uuid4().hex}"
    with psycopg.connect(postgres._url(SUPERUSER, "postgres"), autocommit=True) as superuser:
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        superuser.execute(create.format(sql.Identifier(name), sql.Identifier(OWNER)))
    admin, app = (url.replace("/sightline?", f"/{name}?") for url in (postgres.admin_url, postgres.app_url))
    return admin, app
