"""Bodies in gzip for whoever asks (RFC 9110 §12.5.3).

Compression beside a secret tells the secret (BREACH). Here it cannot: no browser's cookie opens a hook, a call's
JWT is good for that call alone, and the one handle in an answer is new in each.
"""

from __future__ import annotations

import gzip

from flask import Response
from werkzeug.datastructures import Accept

LEAST_BYTES = 1024
"""Below this a body fits into one packet anyway."""
_LEVEL = 5


def compress(response: Response, accepted: Accept) -> None:
    """Compress a JSON answer that is worth it; errors are small and stay as they are."""
    if response.status_code == 200 and response.mimetype == "application/json":
        gzipped(response, accepted)


def gzipped(response: Response, accepted: Accept) -> None:
    """Compress an answer, whatever it holds, where the caller takes gzip and it is long enough."""
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    quality = accepted.quality("gzip")
    if len(body) >= LEAST_BYTES and 0 < quality >= accepted.quality("identity"):
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
