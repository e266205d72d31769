"""CDS Hooks 2.0, "Card attributes": a card as the page shows it, and where it breaks the rules.

A real EHR would drop what does not conform; this one shows it and says so, because it is here to try services out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

INDICATORS = ("info", "warning", "critical")
MAX_SUMMARY = 139

# GitHub-flavoured markdown, its raw HTML excepted: the specification allows an EHR to refuse it.
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_markdown.disable("image")


def _aligned(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    """A cell's alignment as a class: our own Content-Security-Policy permits no inline style."""
    if style := tokens[at].attrs.pop("style", None):
        tokens[at].attrJoin("class", str(style).replace("text-align:", "align-"))
    return self.renderToken(tokens, at, options, env)


for _cell in ("th_open", "td_open"):
    _markdown.add_render_rule(_cell, _aligned)


@dataclass(frozen=True, slots=True)
class Suggestion:
    uuid: str
    label: str
    recommended: bool
    actions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str
    smart: bool
    app_context: str


@dataclass(frozen=True, slots=True)
class Source:
    """``url`` and ``icon`` are empty where there is none that a browser may be sent to."""

    label: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Card:
    """One card. ``uuid`` is empty where the service gave none, and feedback on it is then not possible."""

    uuid: str
    summary: str
    indicator: str
    detail: Markup
    source: Source
    suggestions: tuple[Suggestion, ...]
    any_number: bool
    """Whether several suggestions may be accepted: ``selectionBehavior`` is ``any``."""
    links: tuple[Link, ...]
    override_reasons: tuple[Mapping[str, Any], ...]
    faults: tuple[str, ...]


def read(card: Mapping[str, Any]) -> Card:
    """Whatever the service sent, as far as it can be shown."""
    indicator = card.get("indicator")
    return Card(
        uuid=_text(card, "uuid"),
        summary=_text(card, "summary") or "(no summary)",
        indicator=indicator if indicator in INDICATORS else "info",
        detail=markdown(_text(card, "detail")),
        source=_source(card.get("source")),
        suggestions=tuple(map(_suggestion, _dicts(card, "suggestions"))),
        any_number=card.get("selectionBehavior") == "any",
        links=tuple(map(_link, _dicts(card, "links"))),
        override_reasons=tuple(_dicts(card, "overrideReasons")),
        faults=tuple(faults(card)),
    )


def markdown(text: str) -> Markup:
    """HTML of ``text``; raw HTML in it is shown as text, and addresses are http(s) or mailto alone."""
    html: str = _markdown.render(text)
    return Markup(html.replace("<a href=", '<a target="_blank" rel="noopener noreferrer" href='))  # noqa: S704


def faults(card: Mapping[str, Any]) -> Iterator[str]:
    """Where ``card`` breaks a rule of the specification."""
    summary, suggestions = _text(card, "summary"), list(_dicts(card, "suggestions"))
    if not 0 < len(summary) <= MAX_SUMMARY:
        yield "summary must be there and under 140 characters"
    if card.get("indicator") not in INDICATORS:
        yield "indicator must be info, warning or critical"
    if not isinstance(card.get("source"), dict) or not card["source"].get("label"):
        yield "source needs a label"
    if suggestions and card.get("selectionBehavior") not in ("any", "at-most-one"):
        yield "selectionBehavior must be any or at-most-one where there are suggestions"
    if (
        card.get("selectionBehavior") == "at-most-one"
        and sum(bool(s.get("isRecommended")) for s in suggestions) > 1
    ):
        yield "only one suggestion may be recommended where at most one may be chosen"
    for link in _dicts(card, "links"):
        yield from _link_faults(link)


def _link_faults(link: Mapping[str, Any]) -> Iterator[str]:
    if link.get("type") not in ("absolute", "smart"):
        yield "a link's type must be absolute or smart"
    if "appContext" in link and link.get("type") != "smart":
        yield "appContext belongs to smart links alone"
    if not is_web_address(_text(link, "url")):
        yield "a link's url must be an http(s) address"


def is_web_address(url: str) -> bool:
    """Whether a browser may be sent there: http or https, with a host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _source(source: Any) -> Source:
    held = source if isinstance(source, dict) else {}
    url, icon = (_text(held, name) for name in ("url", "icon"))
    return Source(
        label=_text(held, "label") or "Unnamed source",
        url=url if is_web_address(url) else "",
        icon=icon if is_web_address(icon) else "",
    )


def _suggestion(suggestion: Mapping[str, Any]) -> Suggestion:
    return Suggestion(
        uuid=_text(suggestion, "uuid"),
        label=_text(suggestion, "label") or "(no label)",
        recommended=suggestion.get("isRecommended") is True,
        actions=tuple(_dicts(suggestion, "actions")),
    )


def _link(link: Mapping[str, Any]) -> Link:
    url = _text(link, "url")
    return Link(
        label=_text(link, "label") or url,
        url=url if is_web_address(url) else "",
        smart=link.get("type") == "smart",
        app_context=_text(link, "appContext"),
    )


def _text(held: Mapping[str, Any], name: str) -> str:
    value = held.get(name)
    return value if isinstance(value, str) else ""


def _dicts(held: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    value = held.get(name)
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))
