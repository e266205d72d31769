"""``POST /smart/sign-off``: agree or disagree with each finding, and sign the report."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import redirect, request
from werkzeug import Response as BaseResponse
from werkzeug.datastructures import MultiDict

from cds.audit import balp
from cds.errors import PreconditionFailed
from cds.findings import Prescreen, Review
from cds.smart import audit
from cds.smart.pages import PatientPage
from cds.smart.refusals import BadForm, Changed, NotYours
from cds.smart.review_form import ReviewForm, act, may_sign
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn


class SignOff:
    """Signs, and shows what became of it."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, page: PatientPage) -> None:
        self._services = services
        self._signed_in = signed_in
        self._page = page

    def __call__(self) -> BaseResponse | tuple[str, int]:
        session, registration = self._signed_in.sent_a_form()
        prescreen = chosen(self._services.prescreens, registration, session, request.form.get("prescreen", ""))
        if not may_sign(session):
            raise NotYours("the user may not sign reports")
        id, version = act(request.form), _version(request.form)
        form = ReviewForm.read(prescreen, request.form)
        if form.faults:
            return self._page.shown(session, registration, prescreen, form), 422
        review = Review(str(id), prescreen.id, session.fhir_user, form.judgements, form.comment, datetime.now(UTC))
        self._sign(session, prescreen, review, version)
        return redirect(f"/smart/?prescreen={prescreen.id}#report", 303)

    def _sign(self, session: Session, prescreen: Prescreen, review: Review, version: int) -> None:
        exchange = audit.with_browser(self._services, session)
        try:
            self._services.sign_offs.sign(
                prescreen, review, version, lambda report: balp.signed_off(exchange, prescreen.patient, report)
            )
        except PreconditionFailed as changed:
            raise Changed(str(changed)) from None


def _version(form: MultiDict[str, str]) -> int:
    """Of the report that was seen."""
    try:
        return int(form.get("version", ""))
    except ValueError:
        raise BadForm("the form does not say which version it signs") from None
