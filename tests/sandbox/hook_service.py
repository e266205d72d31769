"""A miniature decision support service, to see what the EHR sends and how it takes what comes back.

It trusts the sandbox by its registration entry alone, answers with cards of every kind, and has a SMART app of
a single page. Set :attr:`HookService.answer` to have it answer otherwise.
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import httpx
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from werkzeug.wrappers import Response as BaseResponse

from tests.sandbox.smart_app import assertion

PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "studies": "ImagingStudy?patient={{context.patientId}}&_sort=-started",
    "clinician": "Practitioner/{{userPractitionerId}}",
    "encounter": "Encounter/{{context.encounterId}}",
    "gone": "Patient/no-such-patient",
    "odd": "Patient/{{context.noSuchToken}}",
    "outside": "https://elsewhere.test/Patient?x=1",
    "forbidden": "Medication?code=1",
}
REASON = {"code": "known", "system": "https://service.test/reasons", "display": "Known already"}


def cards_of_every_kind(order: dict[str, Any], base: str) -> list[dict[str, Any]]:
    source = {"label": "Trial service", "url": f"{base}/about", "icon": f"{base}/icon.png"}
    stat = {**order, "priority": "stat"}
    second = {key: order[key] for key in ("resourceType", "status", "intent", "subject")} | {
        "id": "draft-second",
        "priority": "urgent",
        "code": {"text": "CT Chest W contrast IV"},
    }
    return [
        {
            "uuid": "11111111-0000-4000-8000-000000000001",
            "summary": "Likely pneumothorax",
            "indicator": "critical",
            "detail": "| Finding | p |\n|---|---|\n| Pneumothorax | 0.97 |\n\n<script>x</script> **Act now.**",
            "source": source,
            "selectionBehavior": "at-most-one",
            "suggestions": [
                {
                    "uuid": "raise",
                    "label": "Raise the priority to stat",
                    "isRecommended": True,
                    "actions": [{"type": "update", "description": "Priority: stat", "resource": stat}],
                },
                {
                    "uuid": "remove",
                    "label": "Remove the order",
                    "actions": [
                        {
                            "type": "delete",
                            "description": "Remove it",
                            "resourceId": f"ServiceRequest/{order['id']}",
                        }
                    ],
                },
            ],
            "overrideReasons": [REASON],
            "links": [
                {"label": "See why", "url": f"{base}/smart/launch", "type": "smart", "appContext": "handle-1"},
                {"label": "Guideline", "url": "https://guideline.test/", "type": "absolute"},
                {"label": "Bad", "url": "javascript:alert(1)", "type": "absolute"},
            ],
        },
        {
            "uuid": "11111111-0000-4000-8000-000000000002",
            "summary": "Consider a CT as well",
            "indicator": "warning",
            "source": source,
            "selectionBehavior": "any",
            "suggestions": [
                {
                    "uuid": "add",
                    "label": "Add a CT",
                    "actions": [{"type": "create", "description": "CT Chest", "resource": second}],
                },
                {"uuid": "nothing", "label": "Remind me", "actions": []},
            ],
        },
        {"summary": "A film was taken yesterday", "indicator": "info", "source": {"label": "Trial service"}},
        {"summary": "x" * 140, "indicator": "purple", "source": {}},
    ]


class HookService:
    """``received`` and ``feedback`` hold what came in."""

    def __init__(self) -> None:
        self.base = ""
        self.keys = KeySet([])
        self.received: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.answer: Callable[[], Any] | None = None
        self.seen: dict[str, str] = {}
        self.key = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)
        self.app = self._build()

    def trust(self, registration: dict[str, Any]) -> None:
        self.keys = KeySet.import_key_set(registration["jwks"])

    def _build(self) -> Flask:
        app = Flask("hook_service")
        app.get("/cds-services")(self._discovery)
        app.post("/cds-services/imaging-prescreen")(self._order_sign)
        app.post("/cds-services/imaging-prescreen/feedback")(self._feedback)
        app.get("/.well-known/jwks.json")(self._jwks)
        app.get("/smart/launch")(self._launch)
        app.get("/smart/callback")(self._callback)
        app.get("/icon.png")(self._icon)
        return app

    def _who(self) -> dict[str, Any]:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        decoded = jwt.decode(token, self.keys, algorithms=["ES384"])
        assert decoded.header["typ"] == "JWT"
        return dict(decoded.claims)

    def _discovery(self) -> Response:
        service = {"hook": "order-sign", "id": "imaging-prescreen", "description": "…", "prefetch": PREFETCH}
        return jsonify(services=[service])

    def _order_sign(self) -> Any:
        body = request.get_json()
        self.received.append({"claims": self._who(), "body": body, "url": request.base_url})
        if self.answer:
            return self.answer()
        order = body["context"]["draftOrders"]["entry"][0]["resource"]
        return jsonify(cards=cards_of_every_kind(order, self.base))

    def _feedback(self) -> Response:
        self._who()
        self.feedback.extend(request.get_json()["feedback"])
        return jsonify({})

    def _jwks(self) -> Response:
        return jsonify(keys=[self.key.as_dict(private=False)])

    def _icon(self) -> Response:
        """One opaque pixel."""
        pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgaGgAAAGEAIHX4Ig1AAAAAElFTkSuQmCC"
        return Response(b64decode(pixel), mimetype="image/png")

    def _launch(self) -> BaseResponse:
        """The start of a launch, with a verifier for nobody's eyes but the test's."""
        configuration = httpx.get(f"{request.args['iss']}/.well-known/smart-configuration").json()
        self.seen = {"token": configuration["token_endpoint"], "state": secrets.token_hex(16)}
        query = {
            "response_type": "code",
            "client_id": "sightline",
            "redirect_uri": f"{self.base}/smart/callback",
            "scope": "launch openid fhirUser patient/Patient.rs",
            "state": self.seen["state"],
            "aud": request.args["iss"],
            "launch": request.args["launch"],
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        return redirect(str(httpx.URL(configuration["authorization_endpoint"], params=query)))

    def _callback(self) -> str:
        assert request.args["state"] == self.seen["state"]
        signed = assertion(key=self.key, iss="sightline", sub="sightline", aud=self.seen["token"])
        form = {
            "grant_type": "authorization_code",
            "code": request.args["code"],
            "redirect_uri": f"{self.base}/smart/callback",
            "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signed,
        }
        token = httpx.post(self.seen["token"], data=form).raise_for_status().json()
        return f"<!doctype html><title>App</title><h1>{token['patient']} because {token['appContext']}</h1>"
