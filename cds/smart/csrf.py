"""What shows that a form was ours: a token that only this session's own pages hold.

In an iframe the session's cookie is sent whoever asks (``SameSite=None``), so the cookie alone shows nothing.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import request

from cds.smart.refusals import ForeignForm

FIELD = "csrf"


def token(key: bytes, secret: str) -> str:
    """The token of the session that ``secret`` opens."""
    return hmac.new(key, f"csrf {secret}".encode(), hashlib.sha256).hexdigest()


def check(key: bytes, secret: str) -> None:
    """Raises :class:`ForeignForm` where the form that was sent does not hold the token."""
    if not hmac.compare_digest(request.form.get(FIELD, "").encode(), token(key, secret).encode()):
        raise ForeignForm("a form came without this session's token")
