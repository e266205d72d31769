"""From a tree of marked-up text to lines: a block starts a line, the cells of a row share one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cds.errors import NoteError

MAX_DEPTH = 500
BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "div", "dl", "dt"}
    | {"fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "item"}
    | {"li", "list", "main", "nav", "ol", "p", "paragraph", "pre", "section", "table", "tbody", "text", "tfoot"}
    | {"thead", "title", "tr", "ul"}
)
CELLS = frozenset({"td", "th"})


def lines(root: Any, *, left_out: frozenset[str] = frozenset()) -> str:
    """The text under ``root`` (an ElementTree or lxml element), without the elements named in ``left_out``."""
    text = "".join(_pieces(root, left_out))
    tidy = (re.sub(r"[^\S\n]+", " ", line).strip(" |") for line in text.split("\n"))
    return "\n".join(line for line in tidy if line)


def _pieces(root: Any, left_out: frozenset[str]) -> Iterator[str]:
    """Depth first, without recursion: a hostile document may be nested as deep as it likes."""
    stack = [(root, iter(root))]
    yield _opened(root) + _flat(root.text)
    while stack:
        element, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield _closed(element) + (_flat(element.tail) if stack else "")
        elif not isinstance(child.tag, str) or _name(child) in left_out:
            yield _flat(child.tail)
        elif len(stack) >= MAX_DEPTH:
            raise NoteError("the document is nested too deeply")
        else:
            stack.append((child, iter(child)))
            yield _opened(child) + _flat(child.text)


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _opened(element: Any) -> str:
    return "\n" if _name(element) in BLOCKS else ""


def _closed(element: Any) -> str:
    name = _name(element)
    return "\n" if name in BLOCKS else " | " if name in CELLS else ""


def _flat(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""
