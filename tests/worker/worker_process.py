"""A worker in a process of its own, for tests that end it: ``python -m tests.worker.worker_process URL PAUSE``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import httpx

from cds.ehr.backend_services import BackendServices
from cds.ehr.smart_configuration import Discovery
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.settings import Settings
from cds.store.database import Database
from cds.store.sealing import Keyring
from cds.worker.app import create_app, run
from cds.worker.delivery import Deliverer
from tests.master import MASTER
from tests.worker.conftest import REGISTRATION, Ehr


def main(url: str, pause_s: str) -> None:
    ehr = Ehr(pause_s=float(pause_s))
    database = Database(url, Keyring(MASTER))
    with (
        tempfile.TemporaryDirectory() as home,
        httpx.Client(transport=httpx.MockTransport(ehr)) as http,
    ):
        tokens = BackendServices(http, Keys.load(Settings(data_dir=Path(home))), Discovery(http))
        registrations = Registrations([Registration.from_json(REGISTRATION)])
        run(create_app(url, Deliverer(database, registrations, http, tokens)))
    database.close()
    print(f"stopped after {ehr.posts} posts", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
