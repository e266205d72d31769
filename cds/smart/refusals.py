"""Why the app does not go on, each as a page that says what happened and what to do.

The exception's own message is for the audit trail; nothing of the request is ever shown.
"""

from __future__ import annotations

from typing import ClassVar

from cds.errors import RequestError


class Refusal(RequestError):
    """One page: ``title`` and ``what`` happened, ``advice`` on what to do."""

    title: ClassVar[str]
    what: ClassVar[str]
    advice: ClassVar[str] = "Open Sightline again from the patient's chart."
    standalone_at: str = ""
    """The EHR that lets us be opened in a window of our own, where that would help."""


class BadLaunch(Refusal):
    title = "Sightline cannot be opened this way"
    what = "The address that opened it lacks what an EHR sends along."


class UnregisteredEhr(Refusal):
    status = 403
    title = "This EHR is not registered"
    what = "Sightline was opened from an EHR that it does not know. Nothing was sent to it."
    advice = "Ask whoever runs Sightline for you to register the EHR."


class NoStandalone(Refusal):
    status = 403
    title = "This EHR opens Sightline itself"
    what = "Sightline is not set up to be opened without it."


class StateExpired(Refusal):
    title = "This sign-in is over"
    what = "It was used before, took too long, or was begun in another browser."


class CookieMissing(Refusal):
    title = "Your browser did not keep our cookie"
    what = "Without it we cannot tell that it was you who opened Sightline."
    advice = (
        "Allow cookies for Sightline inside your EHR, or let the EHR open it in a window of its own, "
        "then open it again."
    )

    def __init__(self, message: str, standalone_at: str) -> None:
        super().__init__(message)
        self.standalone_at = standalone_at


class ConsentDenied(Refusal):
    status = 403
    title = "Access was not granted"
    what = "You, or a rule of your EHR, did not let Sightline read this patient's record."
    advice = "If that was not meant, open Sightline again from the patient's chart and allow access."


class TokenRefused(Refusal):
    status = 403
    title = "Your EHR did not let Sightline in"
    what = "Signing in went wrong between your EHR and Sightline."
    advice = (
        "Open Sightline again from the patient's chart. If that fails too, tell whoever runs Sightline for you; "
        "the reason is in its audit trail."
    )


class NoPatient(Refusal):
    title = "No patient is open"
    what = "Your EHR opened Sightline without saying for which patient."
    advice = "Open a patient's chart first, and Sightline from there."


class SessionExpired(Refusal):
    status = 401
    title = "Your session has ended"
    what = "You were logged out because Sightline was not used for a while, or your EHR's permission ran out."


class PatientChanged(Refusal):
    status = 403
    title = "Another patient is open in your EHR"
    what = "Your EHR's permission is now for another patient, so you were logged out of the one before."
    advice = "Open Sightline again from the chart of the patient that you mean."


class OtherPatient(Refusal):
    status = 403
    title = "Another patient's chart is open"
    what = (
        "What you asked for is about another patient than the one whose chart is open, so nothing of it is shown."
    )
    advice = "Go back to the EHR, check which patient is open, and open Sightline from that patient's chart."


class PrescreenWithdrawn(Refusal):
    status = 410
    title = "This prescreen was withdrawn"
    what = "A model that it rests on was recalled. What the card said does not hold any more, so it is not shown."
    advice = "Look at the image and the notes yourself. Signing an imaging order again asks for a new prescreen."


class ForeignForm(Refusal):
    status = 403
    title = "Nothing was changed"
    what = "This page belongs to an earlier session, or the request did not come from a page of Sightline."


class BadForm(Refusal):
    title = "Nothing was changed"
    what = "The form was not one that Sightline made, or not all of it arrived."


class NotYours(Refusal):
    status = 403
    title = "This page is for another role"
    what = "Your EHR says who you are, and Sightline's registration of it does not give you this page."
    advice = "Ask whoever runs Sightline for you, if you need it."


class NotThere(Refusal):
    status = 404
    title = "There is no such page"
    what = "It is of another patient or another hospital, or it was removed."


class Changed(Refusal):
    status = 409
    title = "It has changed meanwhile"
    what = "A colleague signed or changed this before you did. Nothing of yours was recorded."
    advice = "Go back, look at what it says now, and decide again."


class SystemAway(Refusal):
    status = 502
    title = "A system did not answer"
    what = "Your EHR, or a system that Sightline needs, did not answer as it should."
    advice = "Try again in a moment. Your order is not affected."
