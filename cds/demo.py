"""``cds demo``: databases, a sandbox EHR and PACS, and the service, side by side; then the main job.

An EHR signs an order for each sample patient; what came back is printed. The demo sees only what an EHR sees, and
what the record holds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from cds.databases import databases
from cds.errors import ConfigurationError
from cds.findings import Prescreen
from cds.processes import Process, Processes, free_port
from cds.reporting.record import Record
from cds.reporting.words import part, percent, worth_saying
from cds.sandbox.app import create_app
from cds.sandbox.ehr.ordering import CdsClient, HookExchange
from cds.sandbox.patients.sample import SamplePatient
from cds.serving import (
    answers,
    environment,
    logs,
    python,
    start_web,
    start_worker,
    wait_for_web,
)
from cds.settings import Settings
from cds.store import outbox
from cds.store.database import Database

TENANT = "sandbox"
SERVICE = "imaging-prescreen"

Say = Callable[[str], None]
