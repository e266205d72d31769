"""A client of one DICOMweb origin: QIDO-RS searches, WADO-RS retrieves, STOW-RS stores (PS3.18 section 10)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from cds import received
from cds.errors import BadAnswer, Missing, Refused, Unreachable, UpstreamError
from cds.imaging import stow
from cds.imaging.multipart import joined, only_part

DICOM = "application/dicom"
MAX_SEARCH_BYTES = 8 * 1024 * 1024
MAX_MATCHES = 1_000
"""As many series or instances of one study are looked at."""
UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
"""PS3.5 9.1; at most 64 characters."""
INCLUDED = (
    "BodyPartExamined",
    "NumberOfFrames",
    "ViewPosition",
    "PresentationIntentType",
    "ContentDate",
    "ContentTime",
    "SeriesDate",
    "SeriesDescription",
)
"""What selection looks at beside the attributes that a search returns anyway (PS3.18 10.6.3.3)."""

PAUSES_S = (0.05, 0.25)
"""Before a search or an instance whose answer broke off is asked for a second time, and a third."""
BUSY = (429, 502, 503, 504)
"""A PACS that restarts, or has too much to do, answers so for a moment."""

T = TypeVar("T")
Match = dict[str, Any]
"""One match in the DICOM JSON model (PS3.18 annex F): ``{"00080018": {"vr": "UI", "Value": [...]}}``."""


class _Lost(Unreachable):
    """The connection broke while the answer was awaited; asked again, the PACS may give it."""


class _Interrupted(BadAnswer):
    """The answer broke off, or is to be had later: the same."""


class DICOMweb:
    """The studies under one ``root``. Redirects are not followed: ``auth`` is for this origin alone.

    What broke off is asked for again, each instance by itself; nothing that hung is, for that takes too long, and
    nothing that is to be stored: whoever stores comes back. Every method raises a leaf of
    :class:`~cds.errors.UpstreamError`; no answer, whatever it holds, raises another.
    """

    def __init__(
        self, http: httpx.Client, root: str, auth: httpx.Auth | None, *, max_bytes: int, timeout: float
    ) -> None:
        """``max_bytes`` bounds one retrieved instance, ``timeout`` (seconds) one call to its last byte."""
        self._http = http
        self.root = root.rstrip("/")
        self._auth = auth
        self._max_bytes = max_bytes
        self._timeout = timeout

    def series(self, study_uid: str) -> list[Match]:
        """Search for the series of a study (PS3.18 10.6.1.1)."""
        return self._search(f"studies/{_checked(study_uid)}/series")

    def instances(self, study_uid: str, series_uid: str | None = None) -> list[Match]:
        """Search for the instances of a study, or of one of its series (PS3.18 10.6.1.1)."""
        within = f"/series/{_checked(series_uid)}" if series_uid is not None else ""
        return self._search(f"studies/{_checked(study_uid)}{within}/instances")

    def instance(self, study_uid: str, series_uid: str, sop_uid: str, *, transfer_syntax: str = "*") -> bytes:
        """Retrieve one instance as a DICOM file (PS3.18 10.4.1.1.3), by default as it is stored.

        With another ``transfer_syntax`` the origin is asked to convert (PS3.18 8.7.3.5.2).
        """
        path = f"studies/{_checked(study_uid)}/series/{_checked(series_uid)}/instances/{_checked(sop_uid)}"
        syntax = transfer_syntax if transfer_syntax == "*" else _checked(transfer_syntax)
        accept = f'multipart/related; type="{DICOM}"; transfer-syntax={syntax}'

        def ask() -> bytes:
            with self._called("GET", path, {"Accept": accept}) as response:
                _check_status(response.status_code)
                body = self._read(response, self._max_bytes)
                return only_part(response.headers.get("Content-Type", ""), body, DICOM)

        return _again(ask)

    def store(self, study_uid: str, instances: Sequence[bytes]) -> None:
        """Store DICOM files in a study (PS3.18 10.5); what the PACS holds already counts as stored.

        Nothing of the answer is followed. Raises :class:`BadAnswer` where one was not kept.
        """
        content_type, content = joined(instances, DICOM)
        headers = {"Content-Type": content_type, "Accept": "application/dicom+json"}
        with self._called("POST", f"studies/{_checked(study_uid)}", headers, content=content) as response:
            if response.status_code not in stow.ANSWERS:
                _check_status(response.status_code)
            stow.check(response.status_code, self._read(response, MAX_SEARCH_BYTES))

    def _search(self, path: str) -> list[Match]:
        query = httpx.QueryParams({"includefield": INCLUDED, "limit": MAX_MATCHES})

        def ask() -> list[Match]:
            with self._called("GET", path, {"Accept": "application/dicom+json"}, query=query) as response:
                _check_status(response.status_code)
                if response.status_code == 204:
                    return []
                return _matches(self._read(response, MAX_SEARCH_BYTES))

        return _again(ask)

    @contextmanager
    def _called(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: httpx.QueryParams | None = None,
        content: bytes | None = None,
    ) -> Iterator[httpx.Response]:
        """A response that has begun; errors on the way and in the body become ours."""
        try:
            with self._http.stream(
                method,
                f"{self.root}/{path}",
                params=query,
                headers={**headers, **received.ASKED_FOR},
                content=content,
                auth=self._auth or httpx.USE_CLIENT_DEFAULT,
                follow_redirects=False,
                timeout=self._timeout,
            ) as response:
                yield response
        except httpx.RemoteProtocolError:
            raise _Interrupted("the PACS sent an answer that cannot be read") from None
        except (httpx.DecodingError, httpx.TooManyRedirects):
            raise BadAnswer("the PACS sent an answer that cannot be read") from None
        except httpx.TimeoutException:
            raise Unreachable("the PACS did not answer in time") from None
        except httpx.ReadError:
            raise _Lost("the PACS cannot be reached") from None
        except httpx.HTTPError:
            raise Unreachable("the PACS cannot be reached") from None

    def _read(self, response: httpx.Response, limit: int) -> bytes:
        return received.body(response, limit=limit, ends=time.monotonic() + self._timeout)


def _again(ask: Callable[[], T]) -> T:
    for pause in PAUSES_S:
        try:
            return ask()
        except (_Lost, _Interrupted):
            time.sleep(pause)
    return ask()


def _checked(uid: str) -> str:
    """``uid``, fit to stand in an address."""
    if len(uid) > 64 or not UID.fullmatch(uid):
        raise BadAnswer("a UID of the study is not one")
    return uid


def _check_status(status: int) -> None:
    errors: dict[int, UpstreamError] = {
        401: Refused("the PACS refused our credentials"),
        403: Refused("the PACS does not let us at this study"),
        404: Missing("the PACS does not have this study"),
        410: Missing("the PACS no longer has this study"),
    }
    if status in errors:
        raise errors[status]
    if status in BUSY:
        raise _Interrupted(f"the PACS answered with status {status}")
    if status not in (200, 204):
        raise BadAnswer(f"the PACS answered with status {status}")


def _matches(body: bytes) -> list[Match]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("the PACS's search answer is not JSON") from None
    if not isinstance(answer, list) or not all(isinstance(match, dict) for match in answer):
        raise BadAnswer("the PACS's search answer is not a list of matches")
    return answer[:MAX_MATCHES]
