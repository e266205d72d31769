"""An EHR that answers as the test tells it to, a browser, and our app between them, with a real Valkey."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian
from werkzeug.test import TestResponse

from cds import app_context
from cds.audit.search import AuditTrails
from cds.ehr.issuer_keys import IssuerKeys
from cds.ehr.smart_configuration import Discovery
from cds.errors import NoSaliency, Unknown
from cds.findings import Prescreen
from cds.imaging.dicomweb import DICOMweb
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.reporting.models import ModelCards
from cds.reporting.sign_off import SignOffs
from cds.reporting.worklist import Worklist
from cds.settings import Settings
from cds.smart import SmartServices, blueprint
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests.prescreens import prescreen

US = "https://cds.example"
BASE = "https://ehr.example/fhir"
AUTHORIZE = "https://auth.ehr.example/authorize"
TOKEN = "https://auth.ehr.example/token"
JWKS = "https://auth.ehr.example/jwks"
STUDIES = f"{BASE}/ImagingStudy?patient=p1&_sort=-started&_count=20"
"""As they are asked for without the right to read Endpoints."""
PACS = "https://pacs.example/dicom-web"
FILM = f"{PACS}/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"

ISSUER_KEY = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig", "kid": "issuer-1"})

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"use": "official", "family": "Okafor", "given": ["Ada", "Ngozi"]}],
    "birthDate": "1961-03-04",
    "gender": "female",
    "identifier": [{"value": "other"}, {"type": {"coding": [{"code": "MR"}]}, "value": "MRN-4711"}],
}

Query = Mapping[str, str]


def registration(**changes: Any) -> Registration:
    entry = {
        "issuer": BASE,
        "tenant": "general",
        "fhirServers": [BASE],
        "jwksUrl": "https://ehr.example/jwks",
        "clientId": "sightline",
        "oauthHosts": ["https://auth.ehr.example"],
        "origins": ["https://ehr.example"],
        "pacs": [{"root": PACS}],
    }
    return Registration.from_json(entry | changes)


class Ehr:
    """FHIR server, authorization server and PACS at once. A call to any other address fails the test."""

    def __init__(self, our_keys: dict[str, Any]) -> None:
        self._our_keys = KeySet.import_key_set(our_keys)  # type: ignore[arg-type]
        self.called: list[str] = []
        self.configuration: dict[str, Any] = {
            "issuer": BASE,
            "jwks_uri": JWKS,
            "authorization_endpoint": AUTHORIZE,
            "token_endpoint": TOKEN,
            "code_challenge_methods_supported": ["S256"],
        }
        self.asked: dict[str, str] = {}
        self.assertions: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[[httpx.Request], httpx.Response]] = {
            f"{BASE}/.well-known/smart-configuration": lambda r: httpx.Response(200, json=self.configuration),
            TOKEN: self.token,
            JWKS: lambda r: httpx.Response(200, json={"keys": [ISSUER_KEY.as_dict(private=False)]}),
            f"{BASE}/Patient/p1": lambda r: httpx.Response(200, json=PATIENT),
            STUDIES: lambda r: httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset"}),
            FILM: lambda r: multipart(film()),
        }
        self.context: dict[str, Any] = {"patient": "p1"}
        self.access_token = "secret-token"
        self.refresh_token = "refresh-0"
        self.shown: list[str] = []
        """The refresh tokens that we were given."""
        self.renewal: dict[str, Any] = {}
        """What a renewed token's answer says otherwise."""
        self.scope: str | None = None
        self.claims: dict[str, Any] = {}
        self.id_token: Callable[[dict[str, Any]], str] = signed

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        assert url in self.answers, f"{url} must not be called"
        self.called.append(url)
        on_fhir = re.match(rf"{re.escape(BASE)}/[A-Z]", url) is not None
        if on_fhir and request.headers["Authorization"] != f"Bearer {self.access_token}":
            return httpx.Response(401)
        assert on_fhir or "Authorization" not in request.headers
        return self.answers[url](request)

    def authorize(self, location: str) -> dict[str, str]:
        """What the browser brings back from the authorization endpoint."""
        self.asked = {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}
        return {"code": "a-code", "state": self.asked["state"], "iss": BASE}

    def token(self, request: httpx.Request) -> httpx.Response:
        form = {name: value for name, (value,) in parse_qs(request.content.decode()).items()}
        if form["grant_type"] == "refresh_token":
            return self.renewed(form["refresh_token"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.pop("code_verifier").encode()).digest())
        assert challenge.decode().rstrip("=") == self.asked["code_challenge"]
        assertion = jwt.decode(form.pop("client_assertion"), self._our_keys, algorithms=["ES384"])
        self.assertions.append(assertion.claims)
        assert form == {
            "grant_type": "authorization_code",
            "code": "a-code",
            "redirect_uri": f"{US}/smart/callback",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        return httpx.Response(200, json=self.token_answer())

    def renewed(self, refresh_token: str) -> httpx.Response:
        """A new pair of tokens; each refresh token is good once (RFC 6749, 10.4)."""
        self.shown.append(refresh_token)
        if refresh_token != self.refresh_token:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.access_token, self.refresh_token = f"access-{len(self.shown)}", f"refresh-{len(self.shown)}"
        answer = {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": self.asked["scope"] if self.scope is None else self.scope,
        }
        return httpx.Response(200, json=without_none(answer | self.renewal))

    def token_answer(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": BASE,
            "sub": "u1",
            "aud": "sightline",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "fhirUser": f"{BASE}/Practitioner/u1",
        }
        answer = {
            "access_token": "secret-token",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": self.asked["scope"] if self.scope is None else self.scope,
            "id_token": self.id_token(without_none(claims | self.claims)),
        }
        return without_none(answer | self.context)


class Browser:
    """Keeps cookies and follows nothing by itself."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, query: Any = None) -> TestResponse:
        return self.client.get(path, query_string=query, base_url=US, buffered=True)

    def launch(self, iss: str = BASE, launch: str = "xyz") -> TestResponse:
        return self.get("/smart/launch", {"iss": iss, "launch": launch})

    def callback(self, query: Any) -> TestResponse:
        return self.get("/smart/callback", query)


class Kept:
    """Prescreens in memory; like the record, one tenant's are not another's."""

    def __init__(self) -> None:
        self.all: list[Prescreen] = []
        self.withdrawn: set[str] = set()

    def stands(self, prescreen: Prescreen) -> bool:
        return prescreen.id not in self.withdrawn

    def by_id(self, tenant: str, id: str) -> Prescreen | None:
        return next((p for p in self.all if (p.tenant, p.id) == (tenant, id)), None)

    def latest(self, tenant: str, fhir_server: str, patient: str) -> Prescreen | None:
        return next(iter(self.recent(tenant, fhir_server, patient, 5)), None)

    def recent(self, tenant: str, fhir_server: str, patient: str, limit: int) -> list[Prescreen]:
        wanted = (tenant, fhir_server, patient)
        return [p for p in reversed(self.all) if (p.tenant, p.fhir_server, p.patient) == wanted][:limit]


@pytest.fixture(autouse=True)
def nothing_kept(valkey_url: str) -> None:
    """No film of another test's."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushdb()


@pytest.fixture
def ehr(keys: Keys) -> Ehr:
    return Ehr(keys.signing.published(time.time()))


@pytest.fixture
def kept() -> Kept:
    kept = Kept()
    kept.all.append(prescreen())
    return kept


@pytest.fixture
def events() -> list[tuple[str, Mapping[str, Any]]]:
    """What went to the audit trail, with its tenant."""
    return []


@pytest.fixture
def services(
    ehr: Ehr,
    keys: Keys,
    kept: Kept,
    valkey: Valkey,
    database: Database,
    events: list[tuple[str, Mapping[str, Any]]],
) -> Iterator[SmartServices]:
    with httpx.Client(transport=httpx.MockTransport(ehr)) as http:
        yield SmartServices(
            settings=Settings(public_url=US, hook_rate_per_minute=0),
            keys=keys,
            registrations=Registrations([registration()]),
            http=http,
            ehrs=Discovery(http),
            issuer_keys=IssuerKeys(http),
            valkey=valkey,
            prescreens=kept,
            open_pacs=lambda registration, base: (
                lambda root: DICOMweb(http, registration.pacs_for(root).root, None, max_bytes=2**24, timeout=5)
            ),
            explain=overlay,
            on_event=lambda tenant, *told: events.extend((tenant, event) for event in told),
            sign_offs=SignOffs(database),
            model_cards=ModelCards(database),
            worklist=Worklist(database),
            audit_trails=AuditTrails(database, keys.signing.all),
            afterwards=lambda work: None,
        )


@pytest.fixture
def app(services: SmartServices) -> Flask:
    return serving(services)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def other_browser(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def sign_in(browser: Browser, ehr: Ehr) -> Callable[[], TestResponse]:
    """A whole launch; the callback's answer."""
    return lambda: browser.callback(ehr.authorize(browser.launch().headers["Location"]))


@pytest.fixture
def handle(keys: Keys) -> Callable[..., str]:
    """The ``appContext`` of a card."""
    return lambda **when: app_context.issue(keys.handle, prescreen().id, **when)


def overlay(prescreen: Prescreen, finding: str, pacs: DICOMweb) -> bytes:
    """As :class:`cds.explain.Explaining` answers: a PNG, or in words why there is none."""
    if finding not in ("pneumothorax", "effusion"):
        raise Unknown("the image was not scored for such a finding")
    if finding == "effusion":
        raise NoSaliency("not available: this model has no last convolutional map to look at")
    return b"\x89PNG of " + finding.encode()


def serving(services: SmartServices) -> Flask:
    app = Flask("test")
    app.testing = True  # what is not answered on purpose ends the test
    app.register_blueprint(blueprint(services))
    return app


def signed(claims: Mapping[str, Any], key: Any = ISSUER_KEY, **header: Any) -> str:
    head = without_none({"alg": "ES384", "kid": "issuer-1"} | header)
    return jwt.encode(head, dict(claims), key, algorithms=[head["alg"]])


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def film(study: str = "1.2.3") -> bytes:
    """A small DX image that is not blank, as a DICOM file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = f"{study}.1.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, f"{study}.1.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.Modality, dataset.ViewPosition = "DX", "PA"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 2048, 1024, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
    dataset.PixelData = np.linspace(0, 4095, 2048 * 1024).astype(np.uint16).tobytes()
    written = BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


def multipart(part: bytes) -> httpx.Response:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n--b--\r\n"
    return httpx.Response(
        200, content=body, headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    )
