"""HTML as EHR portals export it: a style sheet, a table of the patient's particulars, entities and a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from cds.sandbox.patients.documents.sections import Section

_STYLE = "body{font-family:Arial} th{text-align:left;color:#555} .sig{font-style:italic}"
_SCRIPT = (
    "window.addEventListener('load',function(){var t='tracking pixel: not part of the note';console.log(t)});"
)


def html(title: str, body: Iterable[Section], particulars: Mapping[str, str]) -> bytes:
    """A whole document; characters outside ASCII become entities."""
    rows = "".join(
        f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in particulars.items()
    )
    parts = [
        f"<!DOCTYPE html>\n<html><head><meta charset='us-ascii'><title>{_text(title)}</title>",
        f"<style>{_STYLE}</style><script>{_SCRIPT}</script></head><body>",
        f"<h1>{_text(title)}</h1>\n<table>{rows}</table>",
    ]
    for section in body:
        if section.heading:
            parts.append(f"<h2>{_text(section.heading)}</h2>")
        parts += [f"<p>{_text(paragraph)}</p>" for paragraph in section.paragraphs]
    return "\n".join([*parts, "</body></html>"]).encode("ascii", "xmlcharrefreplace")


def _text(text: str) -> str:
    return escape(text).replace("\u00b0", "&deg;").replace("\u2013", "&ndash;").replace("\u00e9", "&eacute;")
