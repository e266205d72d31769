"""``appContext`` of a SMART link: an opaque handle, signed and expiring, that holds no patient data.

The card gives it to the EHR, the EHR to the app on launch (CDS Hooks 2.0, "Link").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid

from cds.errors import Forbidden

LIFETIME_S = 8 * 3600
"""A shift: how long a card's link opens its prescreen."""


def issue(key: bytes, prescreen_id: str, *, now: float | None = None) -> str:
    """``base64url(prescreen id, expiry, HMAC-SHA-256)``."""
    expiry = int((time.time() if now is None else now) + LIFETIME_S)
    payload = uuid.UUID(prescreen_id).bytes + expiry.to_bytes(8, "big")
    return base64.urlsafe_b64encode(payload + _mac(key, payload)).decode().rstrip("=")


def read(key: bytes, handle: str, *, now: float | None = None) -> str:
    """The prescreen id; :class:`Forbidden` for a handle that is not ours, was changed, or is too old."""
    try:
        raw = base64.urlsafe_b64decode(handle + "=" * (-len(handle) % 4))
        payload, mac = raw[:24], raw[24:]
        valid = len(raw) == 56 and hmac.compare_digest(mac, _mac(key, payload))
    except (ValueError, TypeError):
        valid = False
    if not valid or int.from_bytes(payload[16:], "big") < (time.time() if now is None else now):
        raise Forbidden("the link has expired or is not one of ours")
    return str(uuid.UUID(bytes=payload[:16]))


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.new(key, b"appContext" + payload, hashlib.sha256).digest()
