"""Which pages a user has beside the patient's, by role."""

from __future__ import annotations

from cds.registration import Role
from cds.smart.refusals import NotYours
from cds.smart.session import Session

WORKLIST = (Role.RADIOLOGIST, Role.ADMINISTRATOR)
AUDIT = (Role.AUDITOR, Role.ADMINISTRATOR)


def of(session: Session) -> list[tuple[str, str]]:
    """The endpoint and the name of each."""
    rooms = [("smart.patient", "Patient")]
    rooms += [("smart.worklist", "Worklist")] if may_enter(session, WORKLIST) else []
    rooms += [("smart.audit_trail", "Audit trail")] if may_enter(session, AUDIT) else []
    return rooms if len(rooms) > 1 else []


def may_enter(session: Session, roles: tuple[Role, ...]) -> bool:
    return not set(roles).isdisjoint(session.roles)


def enter(session: Session, roles: tuple[Role, ...]) -> None:
    """Raises :class:`NotYours` where the user has none of the roles."""
    if not may_enter(session, roles):
        raise NotYours("the user has no role that this page is for")
