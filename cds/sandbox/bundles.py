"""Transaction and batch Bundles (FHIR R4, "batch/transaction").

Entries refer to each other by ``fullUrl`` (``urn:uuid:…``) or to what is already there by a conditional
reference (``Practitioner?identifier=…``); both are ``Type/id`` in what is kept.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cds.errors import PreconditionFailed, RequestError
from cds.sandbox.access import Interaction
from cds.sandbox.outcome import of_error
from cds.sandbox.query import parse
from cds.sandbox.resource_types import RESOURCE_TYPES

if TYPE_CHECKING:
    from cds.sandbox.records import Records


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked before an entry is carried out; each raises to refuse."""

    permit: Callable[[Interaction, dict[str, Any]], None] = lambda interaction, resource: None
    """Asked about every resource that is touched."""
    check: Callable[[dict[str, Any]], None] = lambda resource: None
    """Asked about every resource that is to be kept."""


ANYTHING = Rules()
"""Whoever fills the sandbox may do all."""

MAX_ENTRIES = 50_000
TYPE_NAME = r"[A-Z][A-Za-z]{1,63}"
ID = r"[A-Za-z0-9.-]{1,64}"
_INSTANCE = re.compile(rf"({TYPE_NAME})/({ID})")
_CONDITIONAL = re.compile(rf"({TYPE_NAME})\?(.+)")
_ORDER = ("POST", "PUT", "GET")


def execute(records: Records, bundle: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Carry out the Bundle; all entries or none for a transaction, each for itself in a batch."""
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in ("transaction", "batch"):
        raise RequestError("the body must be a Bundle of type transaction or batch")
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise RequestError(f"Bundle.entry must be a list of at most {MAX_ENTRIES}")
    if bundle["type"] == "batch":
        responses = [_alone(records, entry, rules) for entry in entries]
    else:
        with records.atomically():
            responses = _together(records, entries, rules)
    return {"resourceType": "Bundle", "type": f"{bundle['type']}-response", "entry": responses}


def matching(records: Records, resource_type: str, query: str) -> dict[str, Any] | None:
    """The one resource that a condition selects, or None; :class:`PreconditionFailed` where several do."""
    asked = parse(resource_type, re.sub(rf"^{TYPE_NAME}\?", "", query), strict=True)
    if not asked.matches:
        raise RequestError("a condition needs at least one search parameter")
    found = records.search(asked)
    if found.total > 1:
        raise PreconditionFailed(f"the condition selects {found.total} of {resource_type}, not one")
    return found.resources[0] if found.resources else None


def check_version(held: dict[str, Any], if_match: str | None) -> None:
    """Refuse an update that was made on another version (FHIR R4, "Managing Resource Contention")."""
    if if_match and if_match.strip().removeprefix("W/").strip('"') != held["meta"]["versionId"]:
        raise PreconditionFailed("the resource has changed since the version named by If-Match")


def _alone(records: Records, entry: Any, rules: Rules) -> dict[str, Any]:
    try:
        with records.atomically():
            return _together(records, [entry], rules)[0]
    except RequestError as error:
        return {"response": {"status": _status(HTTPStatus(error.status)), "outcome": of_error(error)}}


def _together(records: Records, entries: list[Any], rules: Rules) -> list[dict[str, Any]]:
    work = [_Entry(records, entry, rules) for entry in entries]
    places = {entry.full_url: entry.place for entry in work if entry.full_url and entry.place}
    for entry in sorted(work, key=lambda one: _ORDER.index(one.method)):
        entry.carry_out(places)
    return [entry.response for entry in work]


class _Entry:
    """One entry: read, then given its place (``Type/id``), then carried out."""

    def __init__(self, records: Records, entry: Any, rules: Rules) -> None:
        self._records = records
        self._rules = rules
        self.response: dict[str, Any] = {}
        try:
            request = entry["request"]
            self.method, self._url = str(request["method"]), str(request["url"])
        except (KeyError, TypeError):
            raise RequestError("each entry of the Bundle needs request.method and request.url") from None
        if self.method not in _ORDER:
            raise RequestError(f"an entry's request.method must be one of {', '.join(_ORDER)}")
        self.full_url = entry.get("fullUrl")
        self._if_match = request.get("ifMatch")
        self._condition = request.get("ifNoneExist")
        self._resource = entry.get("resource") if self.method != "GET" else None
        self._held: dict[str, Any] | None = None
        self.place = self._find_place()

    def carry_out(self, places: Mapping[str, str]) -> None:
        if self._resource is None:
            self._get()
        elif self._condition and self._held:
            self._rules.permit("create", self._held)
            self._answer(HTTPStatus.OK, self._held)
        else:
            self._write(self._resource, places)

    def _find_place(self) -> str:
        if self.method == "GET":
            return ""
        if not isinstance(self._resource, dict):
            raise RequestError(f"an entry with {self.method} needs a resource")
        of_type = str(self._resource.get("resourceType"))
        if of_type not in RESOURCE_TYPES or not isinstance(self._resource.get("meta", {}), dict):
            raise RequestError("an entry's resource has an unknown type, or a meta that is no object")
        if self.method == "PUT":
            if not _INSTANCE.fullmatch(self._url) or self._url != f"{of_type}/{self._resource.get('id')}":
                raise RequestError("an entry's PUT must go to the Type/id of its resource")
            return self._url
        if self._url.strip("/") != of_type:
            raise RequestError("an entry's POST must go to the type of its resource")
        if self._condition:
            self._held = matching(self._records, of_type, str(self._condition))
        return f"{of_type}/{self._held['id'] if self._held else uuid.uuid4()}"

    def _write(self, resource: dict[str, Any], places: Mapping[str, str]) -> None:
        of_type, id = self.place.split("/")
        resource = self._resolved(resource, places) | {"id": id}
        self._rules.permit("create" if self.method == "POST" else "update", resource)
        self._rules.check(resource)
        if self.method == "PUT" and (held := self._records.find(of_type, id)):
            self._rules.permit("update", held)
            check_version(held, self._if_match)
        kept = self._records.update(resource)
        self._answer(HTTPStatus.CREATED if kept["meta"]["versionId"] == "1" else HTTPStatus.OK, kept)

    def _resolved(self, value: Any, places: Mapping[str, str]) -> Any:
        """``value`` with every reference to an entry, or to a condition, made ``Type/id``."""
        if isinstance(value, list):
            return [self._resolved(one, places) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self._target(inner, places)
            if name in ("reference", "url") and isinstance(inner, str)
            else self._resolved(inner, places)
            for name, inner in value.items()
        }

    def _target(self, url: str, places: Mapping[str, str]) -> str:
        if url in places:
            return places[url]
        condition = _CONDITIONAL.fullmatch(url)
        if not condition:
            return url
        target = matching(self._records, condition[1], condition[2])
        if target is None:
            raise PreconditionFailed(f"a conditional reference to {condition[1]} selects nothing")
        return f"{condition[1]}/{target['id']}"

    def _get(self) -> None:
        if instance := _INSTANCE.fullmatch(self._url):
            resource = self._records.read(*instance.groups())
            self._rules.permit("read", resource)
            self._answer(HTTPStatus.OK, resource)
            self.response["resource"] = resource
        elif search := _CONDITIONAL.fullmatch(self._url):
            found = self._records.search(parse(*search.groups()))
            for resource in found.resources:
                self._rules.permit("search", resource)
            self.response = {
                "resource": {
                    "resourceType": "Bundle",
                    "type": "searchset",
                    "total": found.total,
                    "entry": [{"resource": one, "search": {"mode": "match"}} for one in found.resources],
                },
                "response": {"status": _status(HTTPStatus.OK)},
            }
        else:
            raise RequestError("an entry's GET must be Type/id or Type?parameters")

    def _answer(self, status: HTTPStatus, resource: dict[str, Any]) -> None:
        meta = resource["meta"]
        self.response = {
            "response": {
                "status": _status(status),
                "location": f"{resource['resourceType']}/{resource['id']}/_history/{meta['versionId']}",
                "etag": f'W/"{meta["versionId"]}"',
                "lastModified": meta["lastUpdated"],
            }
        }


def _status(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"
