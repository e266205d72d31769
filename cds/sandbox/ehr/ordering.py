"""The CDS client: what an EHR sends to a decision support service, at signing above all (CDS Hooks 2.0)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from joserfc import jwt

from cds import tls
from cds.errors import BadAnswer, RequestError, Unknown, Unreachable, UpstreamError
from cds.sandbox import bounded
from cds.sandbox.access import AccessTokens
from cds.sandbox.ehr import prefetch
from cds.sandbox.ehr.answers import Answer, problem_of
from cds.sandbox.handles import Handles
from cds.sandbox.keys import SandboxKeys

TOKEN_S = 60
JWT_S = 300
ANSWER_S = 15
MAX_ANSWER_BYTES = 4 * 1024 * 1024
READ_SCOPES = tuple(
    f"patient/{of_type}.rs"
    for of_type in (
        *("Patient", "Encounter", "ServiceRequest", "ImagingStudy", "DocumentReference", "Binary"),
        *("DiagnosticReport", "Observation", "Condition", "Practitioner", "Endpoint", "Composition"),
    )
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HookExchange:
    """One call of a hook as it went over the wire, its access token blanked out."""

    url: str
    request: Json
    answer: Answer | None
    """None where no answer came."""
    problem: str = ""
    """Why there are no cards, in words; empty where there are."""

    @property
    def cards(self) -> list[Json]:
        body = self.answer.body if self.answer and not self.problem else None
        return list(body["cards"]) if body else []

    @property
    def instance(self) -> str:
        """The ``hookInstance``."""
        return str(self.request["hookInstance"])


class CdsClient:
    """Calls the services of one base URL in the name of this EHR, one short-lived token a call.

    ``issuer`` is our FHIR base, which ``fhir`` reads to fill prefetch templates; ``subject`` is the service's
    ``client_id`` with us.
    """

    def __init__(
        self,
        service_url: str,
        *,
        issuer: str,
        keys: SandboxKeys,
        tokens: AccessTokens,
        fhir: httpx.Client,
        subject: str = "sightline",
        http: httpx.Client | None = None,
    ) -> None:
        self.service_url = service_url.rstrip("/")
        self.issuer = issuer
        self._key = keys.cds_client
        self._tokens = tokens
        self._fhir = fhir
        self._subject = subject
        self._http = http or httpx.Client(
            timeout=httpx.Timeout(ANSWER_S, connect=3), trust_env=False, verify=tls.public()
        )
        self._discovered: Handles[list[Json]] = Handles(60)

    def services(self) -> list[Json]:
        """What the service offers (§ Discovery), asked for at most once a minute; :class:`UpstreamError`."""
        known = self._discovered.get(self.service_url)
        if known is None:
            answer = self._send("GET", f"{self.service_url}/cds-services")
            body = answer.body if answer.status == 200 else None
            if not isinstance(body, dict) or not isinstance(body.get("services"), list):
                raise BadAnswer(f"discovery answered {answer.status} without a list of services")
            known = [service for service in body["services"] if isinstance(service, dict)]
            self._discovered.keep(self.service_url, known)
        return known

    def sign_order(
        self,
        patient: str,
        orders: Sequence[Json],
        *,
        user: str,
        encounter: str = "",
        service: str = "imaging-prescreen",
        prefetched: bool = True,
    ) -> HookExchange:
        """Call ``order-sign`` for the draft ``orders`` of ``patient`` (a bare id), signed by ``user``.

        Never raises for what the service does: the exchange says what went wrong.
        """
        context = order_context(patient, orders, user=user, encounter=encounter)
        return self.call("order-sign", context, service=service, prefetched=prefetched)

    def call(self, hook: str, context: Json, *, service: str, prefetched: bool = True) -> HookExchange:
        """Call ``service``, which answers ``hook``, with a token of its own; never raises either."""
        url = f"{self.service_url}/cds-services/{service}"
        body = self._hook_request(hook, context)
        token = body["fhirAuthorization"]["access_token"]
        if prefetched and (filled := self._prefetch(service, context, token)):
            body["prefetch"] = filled
        shown = {**body, "fhirAuthorization": {**body["fhirAuthorization"], "access_token": "…"}}
        try:
            answer = self._send("POST", url, body)
        except UpstreamError as error:
            return HookExchange(url, shown, None, str(error))
        finally:
            # "Passing the Access Token to the CDS Service": it ends with the call, not with its minute.
            self._tokens.revoke(token)
        return HookExchange(url, shown, answer, problem_of(answer))

    def feedback(self, entries: Sequence[Json], *, service: str = "imaging-prescreen") -> Answer:
        """Tell the service what became of its cards (§ Feedback); raises :class:`UpstreamError`."""
        url = f"{self.service_url}/cds-services/{service}/feedback"
        return self._send("POST", url, {"feedback": list(entries)})

    def _hook_request(self, hook: str, context: Json) -> Json:
        patient, user = context["patientId"], context["userId"]
        token = self._tokens.issue(
            subject=user.partition("/")[2],
            client_id=self._subject,
            scopes=READ_SCOPES,
            audience=self.issuer,
            lifetime_s=TOKEN_S,
            patient=patient,
            fhir_user=f"{self.issuer}/{user}",
        )
        return {
            "hook": hook,
            "hookInstance": str(uuid.uuid4()),
            "fhirServer": self.issuer,
            "fhirAuthorization": {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": TOKEN_S,
                "scope": " ".join(READ_SCOPES),
                "subject": self._subject,
                "patient": patient,
            },
            "context": context,
        }

    def _prefetch(self, service: str, context: Json, token: str) -> Json:
        """Nothing where discovery fails: the call itself then says what is wrong."""
        try:
            described = next((s for s in self.services() if s.get("id") == service), {})
        except UpstreamError:
            return {}
        return prefetch.fill(described.get("prefetch"), context, lambda url: self._read(url, token))

    def _read(self, url: str, token: str) -> Json:
        """One read or search of our own FHIR server, with what the service itself would be permitted."""
        response = self._fhir.get(f"{self.issuer}/{url}", headers={"Authorization": f"Bearer {token}"})
        if response.status_code in (404, 410):
            raise Unknown("there is no such resource")
        if response.status_code != 200:
            raise RequestError(f"the FHIR server answered {response.status_code}")
        found: Json = response.json()
        return found

    def _send(self, method: str, url: str, body: Json | None = None) -> Answer:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._jwt(url)}"}
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        started = time.perf_counter()
        try:
            with self._http.stream(
                method, url, content=content, headers=headers, follow_redirects=False
            ) as response:
                raw = bounded.read(response, limit=MAX_ANSWER_BYTES, seconds=ANSWER_S)
        except httpx.TimeoutException:
            raise Unreachable("the service did not answer in time") from None
        except httpx.HTTPError as error:
            raise Unreachable(f"the service could not be reached ({type(error).__name__})") from None
        return Answer.of(response, raw, (time.perf_counter() - started) * 1000)

    def _jwt(self, url: str) -> str:
        """§ Trusting CDS Clients: ``aud`` is the exact URL called, the key the registered one."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": url, "exp": now + JWT_S, "iat": now, "jti": str(uuid.uuid4())}
        return jwt.encode({"alg": "ES384", "kid": self._key.kid}, claims, self._key, algorithms=["ES384"])


def order_context(patient: str, orders: Sequence[Json], *, user: str, encounter: str = "") -> Json:
    """The context of ``order-sign`` (hook version 1.0)."""
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order} for order in orders]}
    context = {"userId": user, "patientId": patient, "draftOrders": drafts}
    return {**context, "encounterId": encounter} if encounter else context
