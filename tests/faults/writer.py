"""Makes prescreens as the web process does and says of each that it is kept: ``python -m tests.faults.writer``.

Arguments: the database, the EHR's FHIR base, and the numbers of the first prescreen and of the one after the last.
"""

from __future__ import annotations

import sys
import time
import uuid

from cds.audit.trail import OnBehalf, Trail, party
from cds.errors import Unreachable
from cds.findings import Prescreen
from cds.reporting.record import Record, kept, report_due
from cds.store.database import Database
from cds.store.sealing import Keyring
from tests.master import MASTER
from tests.prescreens import prescreen

TENANT = "sandbox"
PAUSE_S = 0.03


def numbered(number: int, fhir_server: str) -> Prescreen:
    """The same prescreen for the same number, whichever process makes it."""
    id = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    return prescreen(id=id, key=id, tenant=TENANT, fhir_server=fhir_server)


def main(url: str, fhir_server: str, first: str, end: str) -> None:
    database = Database(url, Keyring(MASTER), timeout_s=1.0)
    record = Record(database)
    for number in range(int(first), int(end)):
        made = numbered(number, fhir_server)
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
