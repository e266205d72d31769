"""What a browser may do with our pages: show them, in a frame of the EHR that opened them, and ask us alone."""

from __future__ import annotations

from flask import Response, g, request

from cds.registration import Registration
from cds.smart.cookies import Cookies


class Headers:
    """Goes over every answer of the app."""

    def __init__(self, cookies: Cookies) -> None:
        self._cookies = cookies

    def __call__(self, response: Response) -> Response:
        registration: Registration | None = g.get("registration") or self._cookies.registration()
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {_ancestors(registration)}"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if request.endpoint not in ("smart.static", "smart.jwks"):
            response.headers["Cache-Control"] = "no-store"
        return response


def _ancestors(registration: Registration | None) -> str:
    return " ".join(registration.origins) if registration and registration.origins else "'none'"
