"""Styles, scripts and icons under names that change with their content: a browser may keep them for good."""

from __future__ import annotations

import hashlib
from mimetypes import guess_type
from pathlib import Path

from flask import Response, abort

DIRECTORY = Path(__file__).with_name("static")
DIGITS = 12
FOR_GOOD = "public, max-age=31536000, immutable"


class Assets:
    """``GET /smart/static/{stem}.{digest}.{suffix}``; read once, at the start."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._by_url_name: dict[str, tuple[bytes, str]] = {}
        self._url_names: dict[str, str] = {}
        for path in sorted(directory.iterdir()):
            content = path.read_bytes()
            hashed = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:DIGITS]}{path.suffix}"
            self._url_names[path.name] = hashed
            self._by_url_name[hashed] = content, guess_type(path.name)[0] or "application/octet-stream"

    def url(self, name: str) -> str:
        """Where ``app.css`` is; for templates. Raises ``KeyError`` where there is none."""
        return f"/smart/static/{self._url_names[name]}"

    def __call__(self, name: str) -> Response:
        held = self._by_url_name.get(name)
        if held is None:
            abort(404)
        content, mimetype = held
        return Response(content, mimetype=mimetype, headers={"Cache-Control": FOR_GOOD})
