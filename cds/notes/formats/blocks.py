"""From a tree of marked-up text to lines: a block starts a line, the cells of a row share one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cds.errors import NoteError

MAX_DEPTH = 500
MAX_TAGS = 100_000
"""A tree takes a hundred times the memory of its text; no note has a tenth of this."""
BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "div", "dl", "dt"}
    | {"fieldset", "figure", "footer", "form", "header", "hr", "html", "item"}
    | {"li", "list", "main", "nav", "ol", "p", "paragraph", "pre", "section", "table", "tbody", "text", "tfoot"}
    | {"thead", "title", "tr", "ul"}
)
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
CELLS = frozenset({"td", "th"})

_STRUCK_OUT = frozenset({"del", "s", "strike"})
_NOT_SHOWN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|text-decoration[\w-]*\s*:[^;]*line-through", re.IGNORECASE
)

_HEADING = "\x01"
"""Stands before a heading's text until its line is known; no document brings it along."""


def check(source: str | bytes) -> None:
    """Raise :class:`NoteError` for mark-up of more than ``MAX_TAGS`` tags, before anything is built of it."""
    if (source.count("<") if isinstance(source, str) else source.count(b"<")) > MAX_TAGS:
        raise NoteError(f"the document has more than {MAX_TAGS} tags")


def heading(text: str) -> str:
    """A line that reads as a heading, to a person and to :mod:`cds.notes.sections`."""
    return text if text.endswith(":") else f"{text}:"


def lines(root: Any, *, left_out: frozenset[str] = frozenset()) -> str:
    """The text under ``root`` (an ElementTree or lxml element), without the elements named in ``left_out``.

    A heading stands on a line of its own after a blank one, and ends in a colon.
    """
    text = "".join(_pieces(root, left_out))
    tidy = (re.sub(r"[^\S\n]+", " ", line).strip(" |") for line in text.split("\n"))
    return "\n".join(_line(line) for line in tidy if line.strip(_HEADING)).strip("\n")


def _line(line: str) -> str:
    return "\n" + heading(line.replace(_HEADING, "").strip()) if _HEADING in line else line


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
        elif not isinstance(child.tag, str) or _name(child) in left_out or _taken_out(child):
            yield _flat(child.tail)
        elif len(stack) >= MAX_DEPTH:
            raise NoteError("the document is nested too deeply")
        else:
            stack.append((child, iter(child)))
            yield _opened(child) + _flat(child.text)


def _taken_out(element: Any) -> bool:
    """Whether its author struck it out, or its page does not show it: it says nothing any more."""
    return (
        _name(element) in _STRUCK_OUT
        or element.get("hidden") is not None
        or bool(_NOT_SHOWN.search(element.get("style", "")))
        # HL7 CDA R2, 4.3.5.2, and what EHRs make of it.
        or element.get("revised") == "delete"
        or "strike" in element.get("styleCode", "").lower()
    )


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _opened(element: Any) -> str:
    name = _name(element)
    return f"\n{_HEADING}" if name in HEADINGS else "\n" if name in BLOCKS else ""


def _closed(element: Any) -> str:
    name = _name(element)
    return "\n" if name in BLOCKS or name in HEADINGS else " | " if name in CELLS else ""


def _flat(text: str | None) -> str:
    return re.sub(r"[\s\x01]+", " ", text) if text else ""
