"""What a part of a page says where the EHR did not give what belongs there."""

from __future__ import annotations

from cds.errors import Missing, NoteError, Refused, UpstreamError


def in_words(failure: UpstreamError | NoteError) -> str:
    """What happened and what to do, in two sentences for the clinician."""
    if isinstance(failure, Refused):
        return "Your EHR does not show it to you from here. Open Sightline from this patient's own chart."
    if isinstance(failure, Missing):
        return "Your EHR does not have it any more. Look for it in the chart."
    if isinstance(failure, NoteError):
        return f"It cannot be shown here: {failure}. Open it in the chart."
    return "Your EHR did not answer as it should. Close this, and open it again in a moment."
