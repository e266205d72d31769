"""Makes prescreens as the web process does and says of each that it is kept: ``python -m tests.faults.writer``.

Arguments: the database, the EHR's FHIR base, the PACS's root, and the numbers of the first prescreen and of the
one after the last.
"""

from __future__ import annotations

import sys
import time
import uuid
from dataclasses import replace

from cds.audit.trail import OnBehalf, Trail, party
from cds.engine.active import in_use
from cds.errors import Unreachable
from cds.findings import Prescreen
from cds.reporting.record import Record, kept, report_due
from cds.settings import Settings
from cds.store.database import Database
from cds.store.sealing import Keyring
from tests.master import MASTER
from tests.prescreens import NOTE_MODEL, prescreen

TENANT = "sandbox"
PAUSE_S = 0.2


def numbered(number: int, fhir_server: str, pacs: str) -> Prescreen:
    """The same prescreen for the same number, whichever process makes it; all are of the one film in the PACS."""
    id = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    made = prescreen(id=id, key=id, tenant=TENANT, fhir_server=fhir_server)
    assert made.study
    models = (in_use(Settings(), "image").version, NOTE_MODEL)
    return replace(made, study=replace(made.study, root=pacs), models=models)


def main(url: str, fhir_server: str, pacs: str, first: str, end: str) -> None:
    database = Database(url, Keyring(MASTER), timeout_s=1.0)
    record = Record(database)
    for number in range(int(first), int(end)):
        made = numbered(number, fhir_server, pacs)
        while not written(record, made):
            time.sleep(0.1)
        print(made.id, flush=True)
        time.sleep(PAUSE_S)


def written(record: Record, made: Prescreen) -> bool:
    """False where the database is away, and nobody knows whether it was kept: it is then written again."""
    trail = Trail(party("https://cds.example"), OnBehalf())
    try:
        record.write(TENANT, trail, kept(made, trail), report_due(made, trail))
    except Unreachable:
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
