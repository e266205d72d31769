"""What a clinician fills in to judge findings and to sign a report, and who may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from werkzeug.datastructures import MultiDict

from cds.findings import Judgement, Level, Prescreen, Verdict
from cds.registration import Role
from cds.smart.refusals import BadForm
from cds.smart.scopes import may_update
from cds.smart.session import Session

MAX_REASON = 500
MAX_COMMENT = 4000


def may_sign(session: Session) -> bool:
    """Whether the EHR names a practitioner, and gives them the right: by the grant, or by their role."""
    allowed = Role.RADIOLOGIST in session.roles or may_update(session.scope, "DiagnosticReport")
    return allowed and session.fhir_user.startswith("Practitioner/")


def may_judge(session: Session) -> bool:
    """Whether the user is a practitioner who looks after patients, and not after who looks at them."""
    return session.fhir_user.startswith("Practitioner/") and Role.AUDITOR not in session.roles


def act(form: MultiDict[str, str]) -> UUID:
    """Which act it is: the same sent twice is one."""
    try:
        return UUID(form.get("act", ""))
    except ValueError:
        raise BadForm("the form does not say which act it is") from None


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """What was filled in, and what is wrong with it, by finding; "" for the whole."""

    judgements: tuple[Judgement, ...]
    chosen: tuple[Judgement, ...]
    """Those of the judgements that were made by hand."""
    comment: str
    faults: dict[str, str]

    @classmethod
    def read(cls, prescreen: Prescreen, form: MultiDict[str, str]) -> Self:
        """A finding of low probability that nothing is said of is agreed to be absent, as the page says."""
        judgements, faults = [], {}
        for finding in prescreen.findings:
            verdict = form.get(f"verdict-{finding.key}", Verdict.AGREE if finding.level is Level.LOW else "")
            reason = " ".join(_text(form, f"reason-{finding.key}").split())
            if verdict not in tuple(Verdict):
                faults[finding.key] = f"{finding.type.display}: choose whether you agree."
            elif verdict == Verdict.DISAGREE and not 0 < len(reason) <= MAX_REASON:
                faults[finding.key] = (
                    f"{finding.type.display}: say why you disagree, in up to {MAX_REASON} letters."
                )
            if verdict in tuple(Verdict):
                said = reason if verdict == Verdict.DISAGREE else ""
                judgements.append(Judgement(finding.key, Verdict(verdict), said))
        comment = _text(form, "comment").strip()
        if len(comment) > MAX_COMMENT:
            faults[""] = f"The comment may have up to {MAX_COMMENT} letters."
        chosen = tuple(one for one in judgements if f"verdict-{one.finding}" in form)
        return cls(tuple(judgements), chosen, comment, faults)

    @property
    def so_far(self) -> Self:
        """Only what was chosen by hand, which need not be everything, but something."""
        said = {"", *(judgement.finding for judgement in self.chosen)}
        faults = {key: fault for key, fault in self.faults.items() if key in said}
        if not (self.chosen or self.comment):
            faults[""] = "Choose whether you agree with at least one finding, or write a comment."
        return replace(self, judgements=self.chosen, faults=faults)


def _text(form: MultiDict[str, str], name: str) -> str:
    """What was written, in lines; a control character is nobody's word."""
    return "".join(letter for letter in form.get(name, "") if letter.isprintable() or letter in "\n\t")
