"""An overlay of a finding: made of the film in the PACS when first asked for, and then kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from cds.engine.local import LocalEngine
from cds.errors import Missing, NoSaliency, Unknown
from cds.explain import Explaining
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.inference.engine import Engine, Models
from cds.inference.reading import Reading, here
from cds.sandbox.radiograph import render
from cds.settings import Settings
from cds.store.database import Database
from cds.store.once import Once
from cds.store.valkey import Valkey
from tests.imaging.conftest import INSTANCE, SERIES, STUDY, make_file
from tests.prescreens import prescreen
from tests.smart.conftest import multipart

ROWS, COLUMNS = 900, 600


@dataclass
class Pacs:
    """Holds one film with fluid at the bottom of the right lung."""

    answer: Callable[[], httpx.Response]
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answer()

    def opened(self) -> DICOMweb:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return DICOMweb(http, "https://pacs.example/dicom-web", None, max_bytes=2**24, timeout=5)


@pytest.fixture(scope="module")
def film() -> bytes:
    drawn = render(17, size=(ROWS, COLUMNS), findings={"effusion": 0.5}, sides={"effusion": "right"})
    return make_file(drawn, stored=12, WindowCenter=2048, WindowWidth=4096)


@pytest.fixture
def pacs(film: bytes) -> Pacs:
    return Pacs(lambda: multipart(film))


@pytest.fixture(scope="module")
def engine() -> Engine:
    models = Models.in_use(Settings())
    return here(models, Reading.of(models, b"k" * 32), LocalEngine.load(models.image, models.note, device="cpu"))


@pytest.fixture
def explaining(engine: Engine, database: Database, valkey: Valkey) -> Explaining:
    return Explaining(engine, database, secret=b"s" * 32, once=Once(valkey))


@pytest.fixture
def seen(engine: Engine, tenant: str) -> Prescreen:
    study: Any = prescreen().study
    there = replace(study, study_uid=STUDY, series_uid=SERIES, instance_uid=INSTANCE)
    return prescreen(tenant=tenant, study=there, models=(engine.models.image.version,))


def test_it_lies_over_the_lesion(explaining: Explaining, pacs: Pacs, seen: Prescreen) -> None:
    with Image.open(BytesIO(explaining(seen, "effusion", pacs.opened()))) as image:
        assert image.size == (341, 512)
        opacity = np.asarray(image)[..., 3].astype(float)
    # The patient's right is at the left of the film.
    assert opacity[:, :170].sum() > 0.75 * opacity.sum()


def test_it_is_made_once(explaining: Explaining, pacs: Pacs, seen: Prescreen) -> None:
    first = explaining(seen, "effusion", pacs.opened())
    assert explaining(seen, "effusion", pacs.opened()) == first
    assert len(pacs.asked) == 1
    assert explaining(seen, "pneumothorax", pacs.opened()) != first


def test_it_is_kept_for_its_own_tenant_alone(explaining: Explaining, pacs: Pacs, seen: Prescreen) -> None:
    explaining(seen, "effusion", pacs.opened())
    explaining(replace(seen, tenant=f"{seen.tenant}-other"), "effusion", pacs.opened())
    assert len(pacs.asked) == 2


def test_only_for_what_the_image_was_scored_for(explaining: Explaining, pacs: Pacs, seen: Prescreen) -> None:
    without_image = [replace(finding, image=None) for finding in seen.findings]
    for asked, key in ((seen, "fracture"), (replace(seen, findings=tuple(without_image)), "effusion")):
        with pytest.raises(Unknown):
            explaining(asked, key, pacs.opened())
    assert pacs.asked == []


def test_only_by_the_model_that_scored_it(explaining: Explaining, pacs: Pacs, seen: Prescreen) -> None:
    with pytest.raises(NoSaliency, match="not in use any more"):
        explaining(replace(seen, models=prescreen().models), "effusion", pacs.opened())
    assert pacs.asked == []


def test_what_could_not_be_had_is_asked_for_again(
    explaining: Explaining, pacs: Pacs, seen: Prescreen, film: bytes
) -> None:
    pacs.answer = lambda: httpx.Response(404)
    with pytest.raises(Missing):
        explaining(seen, "effusion", pacs.opened())
    pacs.answer = lambda: multipart(film)
    assert explaining(seen, "effusion", pacs.opened()).startswith(b"\x89PNG")
