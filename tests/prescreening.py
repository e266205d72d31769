"""What prescreens in tests: as the service puts it together, with the test's own engine and threads."""

from __future__ import annotations

from concurrent.futures import Executor

from cds.bulkhead import Bulkhead
from cds.engine.active import in_use
from cds.fusion.late import LateFusion
from cds.inference.engine import Engine
from cds.prescreen import Prescreening
from cds.reporting.record import Record
from cds.settings import Settings
from cds.store.once import Once
from cds.store.valkey import Valkey


def prescreening(
    engine: Engine, record: Record, valkey: Valkey, *, places: int, images: Executor, notes: Executor
) -> Prescreening:
    """By the fusion that ships; ``places`` at once for each server."""
    fusion = LateFusion.from_bundle(in_use(Settings(), "fusion"))
    return Prescreening(
        engine,
        fusion,
        record,
        secret=b"s" * 32,
        once=Once(valkey),
        places=Bulkhead(places),
        images=images,
        notes=notes,
    )
