"""One server of the Open Inference Protocol v2, and the one model version that we ask it for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from cds.deadline import Deadline
from cds.engine.bundles import Bundle
from cds.engine.network import Inputs, Logits
from cds.engine.remote import messages
from cds.engine.remote.breaker import Breaker
from cds.engine.remote.messages import Message
from cds.engine.version_number import version_number
from cds.errors import Away, Busy, EngineError, ModelError

MAX_BODY_BYTES = 1024 * 1024
"""An answer has some numbers for each row that was sent."""
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
"""Older Tritons answer 400 for a version that they have not; KServe and MLServer 422 for what they cannot read."""


class _Unversioned(ModelError):
    """KServe's own server: it has one version of a model, and no address for it (501)."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a server is to be asked: where, and whether tensors may be binary."""

    path: str
    binary: bool


class Server:
    """From any thread. Redirects are not followed: what is sent goes to ``url`` or nowhere."""

    def __init__(self, http: httpx.Client, url: str, bundle: Bundle) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._bundle = bundle
        self._version = version_number(bundle.version)
        self._breaker = Breaker()
        self._manner: _Manner | None = None

    def admits(self) -> bool:
        """Whether it is worth asking now; who is told so, asks."""
        return self._breaker.admits()

    def infer(self, inputs: Inputs, deadline: Deadline) -> Logits:
        """(rows, findings), checked.

        Raises :class:`ModelError` where the server has not this version of the model, or it gives no such logits,
        :class:`Busy` where it has too much to do, :class:`Away` for all else.
        """
        if deadline.passed:
            raise Busy("there was no time left to ask")
        try:
            answer = self._inferred(inputs, deadline)
        except Busy:
            self._breaker.succeeded()
            raise
        except (EngineError, ModelError):
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    def check(self, deadline: Deadline) -> None:
        """Ask what it runs, and how it is to be asked; raises as :meth:`infer`."""
        self._manner = self._asked_for_manner(deadline)

    @property
    def _name(self) -> str:
        return self._bundle.version.name

    def _asked_for_manner(self, deadline: Deadline) -> _Manner:
        path, described = self._described(deadline)
        if described.get("name") != self._name or self._version not in _words(described, "versions"):
            raise ModelError(f"{self._url} has not {self._name} in version {self._version}")
        return _Manner(path, messages.BINARY in _words(self._json("/v2", deadline), "extensions"))

    def _described(self, deadline: Deadline) -> tuple[str, Mapping[str, Any]]:
        """Our version's address, or that of the model where versions have none, and the metadata there."""
        model = f"/v2/models/{quote(self._name, safe='')}"
        version = f"{model}/versions/{self._version}"
        try:
            return version, self._json(version, deadline)
        except _Unversioned:
            return model, self._json(model, deadline)

    def _inferred(self, inputs: Inputs, deadline: Deadline) -> Logits:
        manner = self._manner = self._manner or self._asked_for_manner(deadline)
        message = messages.request(inputs, binary=manner.binary)
        rows = len(next(iter(inputs.values())))
        answer = self._answer("POST", f"{manner.path}/infer", message, deadline)
        return messages.logits(answer, version=self._version, shape=(rows, len(self._bundle.findings)))

    def _json(self, path: str, deadline: Deadline) -> Mapping[str, Any]:
        answer = self._answer("GET", path, Message(b"", {}), deadline)
        try:
            read = orjson.loads(answer.body)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise Away(f"{self._url} did not say what it runs")
        return read

    def _answer(self, method: str, path: str, message: Message, deadline: Deadline) -> Message:
        try:
            with self._http.stream(
                method,
                self._url + path,
                content=message.body,
                headers={**message.headers, "Accept-Encoding": "identity"},
                timeout=deadline.remaining,
            ) as response:
                self._check_status(response.status_code)
                return Message(self._body(response, deadline), response.headers)
        except httpx.TimeoutException:
            raise Away(f"{self._url} did not answer in time") from None
        except httpx.HTTPError as error:
            raise Away(f"the connection to {self._url} failed ({type(error).__name__})") from None

    def _check_status(self, status: int) -> None:
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            raise Busy(f"{self._url} has too much to do")
        if status == HTTPStatus.NOT_IMPLEMENTED:
            raise _Unversioned(f"{self._url} has no addresses of versions")
        if status in _REFUSED:
            raise ModelError(f"{self._url} has not {self._name} in version {self._version}, or refuses its input")
        if status != HTTPStatus.OK:
            raise Away(f"{self._url} answered {status}")

    def _body(self, response: httpx.Response, deadline: Deadline) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_BODY_BYTES or deadline.passed:
                raise Away(f"the answer of {self._url} did not end")
        return bytes(body)


def _words(described: Mapping[str, Any], key: str) -> list[Any]:
    """A list of the metadata; empty where it is none."""
    words = described.get(key)
    return words if isinstance(words, list) else []
