"""HTML, by lxml: scripts and styles left out, nothing fetched."""

from __future__ import annotations

import re

from lxml import etree

from cds.errors import NoteError
from cds.notes.formats import charset
from cds.notes.formats.blocks import check, lines

LEFT_OUT = frozenset({"script", "style", "head", "template", "noscript", "svg", "iframe", "object", "select"})

MAX_TAG = 4000
"""Characters of one tag beside its quoted values: libxml2 compares each attribute with all before it."""

_OVERLONG = re.compile(rf"<[A-Za-z](?:=\s*+(?:\"[^\"]*+\"|'[^']*+')|[^>]){{{MAX_TAG}}}+")
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def text(content: bytes, declared: str = "") -> str:
    """What a reader of the page would read, in lines; ``declared`` is the charset as said outside of the page."""
    check(content)
    said = _META.search(content[:1024])
    page = charset.text(content, declared or (said[1].decode() if said else ""))
    if _OVERLONG.search(page):
        raise NoteError("the HTML document has a tag of too many attributes")
    try:
        root = etree.HTML(page.replace("\x00", "").encode(errors="replace"), _parser())
    except (etree.LxmlError, ValueError):
        raise NoteError("the HTML document cannot be read") from None
    if root is None:
        return ""
    return lines(root, left_out=LEFT_OUT)


def _parser() -> etree.HTMLParser:
    return etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
