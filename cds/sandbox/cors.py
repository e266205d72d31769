"""Apps that run in a browser: SMART App Launch 2.2, "Considerations for Cross-Origin Resource Sharing".

What is public is for everybody; the token endpoint and the FHIR server are for the origins of the registered apps.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, request

from cds.sandbox.clients import Client

_FOR_APPS = ("/fhir/", "/oauth/token")


def init_app(app: Flask, clients: Iterable[Client]) -> None:
    """Answer browsers that ask for one of ``clients``."""
    origins = {_origin(uri) for client in clients for uri in client.redirect_uris}

    def is_for_app() -> bool:
        return request.path.startswith(_FOR_APPS) and request.headers.get("Origin") in origins

    def preflight() -> Response | None:
        return Response(status=204) if request.method == "OPTIONS" and is_for_app() else None

    def allow(response: Response) -> Response:
        if is_for_app():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Prefer"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT"
            response.headers["Access-Control-Expose-Headers"] = "Location, ETag"
            response.vary.add("Origin")
        return response

    app.before_request(preflight)
    app.after_request(allow)


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
