"""RFC 7636, Proof Key for Code Exchange; S256 alone, as SMART App Launch 2.2 asks."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from cds.sandbox.oauth.errors import OAuthError

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def challenge_of(parameters: Mapping[str, str]) -> str:
    """The ``code_challenge`` of an authorization request, §4.3; raises ``invalid_request`` without a good one."""
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256")
    challenge = parameters.get("code_challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge must be 43 base64url characters")
    return challenge


def verify(verifier: str, challenge: str) -> None:
    """BASE64URL-ENCODE(SHA256(ASCII(code_verifier))) == code_challenge, §4.6; else ``invalid_grant``."""
    if not _VERIFIER.fullmatch(verifier):
        raise OAuthError("invalid_grant", "code_verifier is missing or malformed")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    if not hmac.compare_digest(urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge):
        raise OAuthError("invalid_grant", "code_verifier does not match the code_challenge")
