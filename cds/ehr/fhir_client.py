"""The EHR's FHIR R4 RESTful API (FHIR R4, http.html): read, search, create, transaction, on one registered base.

Resources are plain dicts. Every failure is an :class:`~cds.errors.UpstreamError` whose message holds neither an id
nor anything that the server said beyond codes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import httpx
import orjson

from cds.ehr.datatypes import Resource, element, elements, instance, local_reference, relative_reference, string
from cds.ehr.exchange import MAX_BODY_BYTES, check, exchange, read_object
from cds.ehr.fhir_base import FhirBase
from cds.ehr.in_flight import InFlight
from cds.errors import BadAnswer, NotAllowed
from cds.registration import Registration

FHIR_JSON = "application/fhir+json"
MAX_PAGES = 10

Params = Mapping[str, str | list[str]]
"""Search parameters; a list repeats the parameter, which means AND."""


OnAccess = Callable[[str, str, int | None], None]
"""Told of every request: method, URL, and the status of the answer, None where there was none."""


class FhirClient:
    """A client of one FHIR server.

    ``base`` must be one of the registration's ``fhirServers``, else :class:`~cds.errors.NotAllowed`.
    ``timeout_s`` is how long one call may take, or what tells it: a deadline's remaining seconds.
    ``http`` may be shared between threads and clients; so may the FhirClient itself, and ``in_flight``: a GET that
    is under way for an equal ``auth`` of the same tenant is not sent again. ``on_access`` is called from the
    thread that asked, for the audit trail, whoever's request was sent.
    """

    def __init__(
        self,
        http: httpx.Client,
        registration: Registration,
        base: str,
        auth: httpx.Auth | None = None,
        *,
        timeout_s: float | Callable[[], float] = 5.0,
        max_bytes: int = MAX_BODY_BYTES,
        in_flight: InFlight | None = None,
        on_access: OnAccess = lambda method, url, status: None,
    ) -> None:
        self.base = FhirBase(registration.fhir_server(base))
        self.tenant = registration.tenant
        self._http = http
        self._auth = auth
        self._remaining = timeout_s if callable(timeout_s) else lambda: timeout_s
        self._max_bytes = max_bytes
        self._in_flight = in_flight or InFlight()
        self._on_access = on_access

    def resolve(self, reference: str) -> tuple[str, str]:
        """Type and id of a reference that leads to this server, else :class:`~cds.errors.NotAllowed`."""
        return self.base.resolve(reference)

    def lacking(
        self, named: Iterable[str], types: Collection[str], known: Iterable[Resource]
    ) -> list[tuple[str, str]]:
        """The references to ``types`` on this server that ``known`` does not hold, each once, as type and id."""
        have = {local_reference(resource) for resource in known}
        wanted = []
        for name in named:
            try:
                type_, id_ = self.resolve(name)
            except NotAllowed:
                continue
            if type_ in types and f"{type_}/{id_}" not in have:
                wanted.append((type_, id_))
        return list(dict.fromkeys(wanted))

    def read(self, type_: str, id_: str) -> Resource:
        """The resource; it is checked to be the one asked for."""
        response = self._send("GET", self.base.instance(type_, id_), f"reading a {type_}")
        resource = read_object(response)
        if (resource.get("resourceType"), resource.get("id")) != (type_, id_):
            raise BadAnswer(f"reading a {type_} was answered with another resource", status=response.status_code)
        return resource

    def content(self, type_: str, id_: str, accept: str, *, max_bytes: int | None = None) -> tuple[str, bytes]:
        """What a Binary holds, with its content type (FHIR R4, binary.html, "Serving Binary Resources")."""
        url = self.base.instance(type_, id_)
        response = self._send("GET", url, f"reading a {type_}", accept=accept, max_bytes=max_bytes)
        return response.headers.get("Content-Type", ""), response.content

    def capabilities(self) -> Resource:
        """The server's CapabilityStatement."""
        response = self._send("GET", f"{self.base.url}/metadata", "reading the CapabilityStatement")
        return read_object(response)

    def search(self, type_: str, params: Params, limit: int) -> list[Resource]:
        """At most ``limit`` matches in the server's order, each page's includes after its matches."""
        url = httpx.URL(self.base.type(type_), params=dict(params))
        return self.pages(self._searchset(str(url), type_), type_, limit)

    def pages(self, searchset: Resource, type_: str, limit: int) -> list[Resource]:
        """The resources of a searchset and the pages after it (FHIR R4, "Paging"), ``limit`` matches at most."""
        found = _resources(searchset, type_, limit)
        for _ in range(MAX_PAGES - 1):
            following = _next(searchset)
            if following is None or _count(found, type_) >= limit:
                break
            searchset = self._searchset(self.base.link(following), type_)
            found += _resources(searchset, type_, limit - _count(found, type_))
        return found

    def create(self, resource: Resource, if_none_exist: str = "") -> str:
        """Create ``resource`` and return its ``Type/id``.

        ``if_none_exist`` is a search query (FHIR R4, "Conditional create"): where one resource matches it, that
        one's ``Type/id`` is returned and nothing is created.
        """
        type_ = string(resource, "resourceType")
        headers = {"If-None-Exist": if_none_exist} if if_none_exist else {}
        what = f"creating a {type_}"
        response = self._send("POST", self.base.type(type_), what, body=resource, headers=headers)
        reference = self._created(response, type_)
        if reference is None and if_none_exist:
            reference = self.find(type_, if_none_exist)
        if reference is None:
            raise BadAnswer(f"{what} was answered without saying where it is", status=response.status_code)
        return reference

    def update(self, resource: Resource) -> None:
        """Replace the resource of that type and id (FHIR R4, "update")."""
        type_, id_ = string(resource, "resourceType"), string(resource, "id")
        self._send("PUT", self.base.instance(type_, id_), f"updating a {type_}", body=resource)

    def find(self, type_: str, query: str) -> str | None:
        """``Type/id`` of the first resource that matches the search query, ``None`` where there is none."""
        pairs = httpx.QueryParams(query)
        found = self.search(type_, {key: pairs.get_list(key) for key in pairs}, limit=1)
        return next((local_reference(r) for r in found if r.get("resourceType") == type_), None)

    def transaction(self, bundle: Resource) -> Resource:
        """Post a transaction Bundle, return the ``transaction-response`` (FHIR R4, "batch/transaction")."""
        response = self._send("POST", self.base.url, "a transaction", body=bundle)
        answer = read_object(response)
        if answer.get("resourceType") != "Bundle" or answer.get("type") != "transaction-response":
            raise BadAnswer("a transaction was not answered with its response", status=response.status_code)
        return answer

    def _searchset(self, url: str, type_: str) -> Resource:
        what = f"searching {type_}"
        response = self._send("GET", url, what)
        bundle = read_object(response)
        if bundle.get("resourceType") != "Bundle":
            raise BadAnswer(f"{what} was not answered with a Bundle", status=response.status_code)
        return bundle

    def _created(self, response: httpx.Response, type_: str) -> str | None:
        reference = instance(response.headers.get("Location", ""))
        if reference and reference.startswith(f"{type_}/"):
            return reference
        try:
            resource = read_object(response)
        except BadAnswer:
            return None
        reference = local_reference(resource)
        return reference if resource.get("resourceType") == type_ and relative_reference(reference) else None

    def _send(
        self,
        method: str,
        url: str,
        what: str,
        *,
        accept: str = FHIR_JSON,
        body: Resource | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> httpx.Response:
        wanted = {"Accept": accept, **(headers or {})}
        if body is not None:
            wanted["Content-Type"] = FHIR_JSON
        content = None if body is None else orjson.dumps(body)
        request = self._http.build_request(method, url, headers=wanted, content=content)
        status = None
        try:
            response = self._exchanged(request, max_bytes or self._max_bytes)
            status = response.status_code
        finally:
            self._on_access(method, url, status)
        return check(response, what)

    def _exchanged(self, request: httpx.Request, max_bytes: int) -> httpx.Response:
        """What is only read is asked for once at a time."""

        def ask() -> httpx.Response:
            timeout_s = self._remaining()
            return exchange(self._http, request, auth=self._auth, timeout_s=timeout_s, max_bytes=max_bytes)

        if request.method != "GET":
            return ask()
        key = (self.tenant, self._auth, str(request.url), request.headers["Accept"], max_bytes)
        return self._in_flight(key, ask, self._remaining)


def _resources(searchset: Resource, type_: str, room: int) -> list[Resource]:
    """Matches as far as there is room, then includes; outcomes are left out (``Bundle.entry.search.mode``)."""
    resources = [element(entry, "resource") for entry in elements(searchset, "entry")]
    matches = [resource for resource in resources if resource.get("resourceType") == type_]
    others = [r for r in resources if r.get("resourceType") not in (type_, "OperationOutcome", None)]
    return matches[: max(room, 0)] + others


def _count(resources: list[Resource], type_: str) -> int:
    return sum(resource.get("resourceType") == type_ for resource in resources)


def _next(searchset: Resource) -> str | None:
    links = (string(link, "url") for link in elements(searchset, "link") if link.get("relation") == "next")
    return next(filter(None, links), None)
