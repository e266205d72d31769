"""The token endpoint (RFC 6749, 3.2 and 5): a form goes out, a token or one of the RFC's errors comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from cds.ehr.client_authentication import authenticated
from cds.ehr.datatypes import Resource, string
from cds.ehr.exchange import check, exchange, read_object
from cds.ehr.smart_configuration import SmartConfiguration
from cds.errors import BadAnswer, Refused
from cds.keys import Keys

MAX_ANSWER_BYTES = 256 * 1024

TOKEN_ERRORS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant"),
        *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
    }
)
"""RFC 6749, 5.2. Nothing else that the server says is repeated."""


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """An access token response (RFC 6749, 5.1)."""

    access_token: str = field(repr=False)
    expires: float | None
    """On the clock that the request was made by; ``None`` where the server does not say."""
    parameters: Resource = field(repr=False)
    """All of it: granted ``scope``, ``id_token``, launch context."""


def request_token(
    http: httpx.Client,
    keys: Keys,
    configuration: SmartConfiguration,
    grant: Mapping[str, str],
    *,
    timeout_s: float,
    clock: Callable[[], float] = time.time,
) -> TokenAnswer:
    """Ask for a token with the parameters of a ``grant``, authenticated as the registration's client.

    Raises :class:`Refused` with the RFC's error code, or another :class:`~cds.errors.UpstreamError`.
    """
    asked_at = clock()
    request = _form(keys, configuration, configuration.endpoint("token_endpoint"), grant, asked_at)
    return _read_token(exchange(http, request, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES), asked_at)


def revoke(
    http: httpx.Client, keys: Keys, configuration: SmartConfiguration, token: str, *, timeout_s: float
) -> None:
    """Give a token back (RFC 7009), a refresh token with all that came of it; nothing where the server cannot.

    Raises :class:`~cds.errors.UpstreamError`.
    """
    if "revocation_endpoint" not in configuration.document:
        return
    endpoint = configuration.endpoint("revocation_endpoint")
    request = _form(keys, configuration, endpoint, {"token": token}, time.time())
    check(exchange(http, request, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES), "the revocation")


def _form(
    keys: Keys, configuration: SmartConfiguration, endpoint: str, form: Mapping[str, str], now: float
) -> httpx.Request:
    """``form`` to an endpoint of the authorization server, authenticated as the registration's client."""
    algorithms = configuration.listed("token_endpoint_auth_signing_alg_values_supported")
    return authenticated(keys, configuration.registration, endpoint, form, algorithms, now)


def _read_token(response: httpx.Response, asked_at: float) -> TokenAnswer:
    if response.status_code in (400, 401, 403):
        raise Refused(f"the token endpoint gave no token{_oauth_error(response)}", status=response.status_code)
    answer = read_object(check(response, "the token request"))
    value = string(answer, "access_token")
    if not value or string(answer, "token_type").lower() != "bearer":
        raise BadAnswer("the token endpoint's answer holds no bearer token")
    lifetime = answer.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
        return TokenAnswer(value, None, answer)
    return TokenAnswer(value, asked_at + lifetime, answer)


def _oauth_error(response: httpx.Response) -> str:
    try:
        answer = read_object(response)
    except BadAnswer:
        return ""
    code = string(answer, "error")
    return f" ({code})" if code in TOKEN_ERRORS else ""
