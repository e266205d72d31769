"""``POST /smart/judgement``: say what one thinks of the findings, without signing; saying it again amends it."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import redirect, request
from werkzeug import Response as BaseResponse

from cds.audit import balp
from cds.errors import PreconditionFailed
from cds.findings import Opinion, Prescreen
from cds.smart import audit
from cds.smart.pages import PatientPage
from cds.smart.refusals import Changed, NotYours
from cds.smart.review_form import ReviewForm, act, may_judge
from cds.smart.services import SmartServices
from cds.smart.session import Session
from cds.smart.shown import chosen
from cds.smart.signed_in import SignedIn


class Judging:
    """Keeps what a clinician has filled in so far, tells the EHR, and shows it."""

    def __init__(self, services: SmartServices, signed_in: SignedIn, page: PatientPage) -> None:
        self._services = services
        self._signed_in = signed_in
        self._page = page

    def __call__(self) -> BaseResponse | tuple[str, int]:
        session, registration = self._signed_in.sent_a_form()
        prescreen = chosen(self._services.prescreens, registration, session, request.form.get("prescreen", ""))
        if not may_judge(session):
            raise NotYours("the user is no clinician who judges findings")
        id = act(request.form)
        form = ReviewForm.read(prescreen, request.form).so_far
        if form.faults:
            return self._page.shown(session, registration, prescreen, form), 422
        opinion = Opinion(
            str(id), prescreen.id, session.fhir_user, form.judgements, form.comment, datetime.now(UTC)
        )
        self._keep(session, prescreen, opinion)
        return redirect(f"/smart/?prescreen={prescreen.id}#judged", 303)

    def _keep(self, session: Session, prescreen: Prescreen, opinion: Opinion) -> None:
        exchange = audit.with_browser(self._services, session)
        try:
            self._services.sign_offs.keep(
                prescreen, opinion, lambda report: balp.judged(exchange, prescreen.patient, report)
            )
        except PreconditionFailed as changed:
            raise Changed(str(changed)) from None
