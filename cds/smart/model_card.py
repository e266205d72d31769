"""``GET /smart/model``: the card of a model version that a prescreen was made by."""

from __future__ import annotations

from flask import render_template
from markdown_it import MarkdownIt
from markupsafe import Markup

from cds.audit import balp
from cds.reporting.models import card_id
from cds.smart import audit
from cds.smart.query import parameter
from cds.smart.refusals import NotThere
from cds.smart.services import SmartServices
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn

# A card may be anybody's (`cds models add`): no HTML of its own, and nothing that leads elsewhere.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])


class ModelCardPage:
    """What a model is for, what it was made of, how good it is and how bad."""

    def __init__(self, services: SmartServices, signed_in: SignedIn) -> None:
        self._services = services
        self._signed_in = signed_in

    def __call__(self) -> str:
        session, registration = self._signed_in()
        prescreen = chosen(self._services.prescreens, registration, session, parameter("prescreen"))
        model = next((one for one in prescreen.models if one.digest == parameter("model")), None)
        card = self._services.model_cards(registration.tenant, model) if model else None
        if model is None or card is None:
            raise NotThere("there is no card of that model")
        exchange = audit.with_browser(self._services, session)
        self._services.on_event(registration.tenant, balp.read(exchange, f"DocumentReference/{card_id(model)}"))
        html = Markup(_markdown.render(card))  # noqa: S704 - HTML of the card's own is escaped
        return render_template("smart/model.html", model=model, prescreen=prescreen, card=html)
