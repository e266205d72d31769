"""What a client asks for, and what a clinician has granted, from the code to the last refresh token."""

from __future__ import annotations

from dataclasses import dataclass

from cds.sandbox.oauth.launch import LaunchContext


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """An authorization request that was found in order (RFC 6749 §4.1.1); ``scopes`` are what may be granted."""

    client_id: str
    redirect_uri: str
    state: str
    code_challenge: str
    scopes: tuple[str, ...]
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization; ``id`` is shared by every token that comes of it."""

    id: str
    request: PendingRequest
    scopes: tuple[str, ...]
    context: LaunchContext
