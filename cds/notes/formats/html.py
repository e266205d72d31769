"""HTML, by lxml: scripts and styles left out, nothing fetched."""

from __future__ import annotations

from lxml import etree

from cds.errors import NoteError
from cds.notes.formats.blocks import lines

LEFT_OUT = frozenset({"script", "style", "head", "template", "noscript", "svg", "iframe", "object", "select"})


def text(content: bytes, charset: str = "") -> str:
    """What a reader of the page would read, in lines; ``charset`` as declared outside of the document."""
    try:
        root = etree.HTML(content, _parser(charset))
    except (etree.LxmlError, ValueError):
        raise NoteError("the HTML document cannot be read") from None
    if root is None:
        return ""
    return lines(root, left_out=LEFT_OUT)


def _parser(charset: str) -> etree.HTMLParser:
    try:
        return etree.HTMLParser(encoding=charset or None, no_network=True, remove_comments=True, remove_pis=True)
    except LookupError:
        return etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
