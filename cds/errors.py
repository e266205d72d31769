"""Every exception that Sightline raises on purpose, in one tree.

SightlineError
├── ConfigurationError          the operator must change a setting
├── RequestError                the caller sent something we refuse (4xx)
│   ├── Unauthenticated         401, never with a reason in the body
│   ├── Forbidden               403
│   ├── Unknown                 404
│   ├── PreconditionFailed      412, data that we need cannot be had
│   ├── TooLarge                413
│   ├── UnsupportedEncoding     415
│   └── TooManyRequests         429, with the time after which to ask again
├── UpstreamError               a system that we called did not answer as it should
│   ├── NotAllowed              the address is on no allow-list: nothing was sent
│   ├── Unreachable             no connection, or no answer in time
│   │   └── DatabaseAway        of our own database: whatever was asked for, it may be there
│   ├── Refused                 401 or 403
│   ├── Missing                 404 or 410
│   └── BadAnswer               any other status, or a body that cannot be read
├── ImagingError                pixels that cannot be used, with the reason
│   ├── NothingToScore          a study without an image that a model reads
│   └── UnsupportedSyntax       a transfer syntax that is not decoded here: the PACS may convert
├── NoteError                   a document that cannot be read, with the reason
├── ModelError                  a bundle that cannot be loaded or run
│   └── NoSaliency              the model cannot show which places of a picture it goes by
├── EngineError                 what runs the models gives no answer
│   ├── Busy                    not by the deadline: there is more to do than that
│   └── Away                    it is not there, or broke off
└── IntegrityError              the record is not what it was when written
"""


class SightlineError(Exception):
    """The base of them all: one plain sentence, free of patient data."""


class ConfigurationError(SightlineError):
    """A setting is missing or unsafe; the message names it."""


class RequestError(SightlineError):
    """The caller's request is refused with :attr:`status`."""

    status = 400
    code = "invalid"
    """The OperationOutcome ``issue.code`` that fits (FHIR R4 issue-type)."""


class Unauthenticated(RequestError):
    """Who is calling is not shown. The reason goes to the audit log, never to the caller."""

    status = 401
    code = "login"


class Forbidden(RequestError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"


class Unknown(RequestError):
    """There is no such thing here."""

    status = 404
    code = "not-found"


class PreconditionFailed(RequestError):
    """Data that the answer needs cannot be had (CDS Hooks 2.0, "HTTP Status Codes")."""

    status = 412
    code = "incomplete"


class TooLarge(RequestError):
    """The body is larger than we take."""

    status = 413
    code = "too-long"


class UnsupportedEncoding(RequestError):
    """The body is compressed (RFC 9110 §15.5.16): how large it would become is not found out."""

    status = 415
    code = "not-supported"


class TooManyRequests(RequestError):
    """The caller asks more often than it may (RFC 6585 §4)."""

    status = 429
    code = "throttled"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Whole seconds, for ``Retry-After``."""


class UpstreamError(SightlineError):
    """A system that we called did not answer as it should."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status that it answered with, where it answered."""


class NotAllowed(UpstreamError):
    """The address is on no allow-list; nothing was sent."""


class Unreachable(UpstreamError):
    """No connection, or no answer in time."""


class DatabaseAway(Unreachable):
    """Our own database does not answer: nothing is known of what was asked for, and nothing was kept."""


class Refused(UpstreamError):
    """The other side answered 401 or 403."""


class Missing(UpstreamError):
    """The other side answered 404 or 410."""


class BadAnswer(UpstreamError):
    """Any other status, or a body that cannot be read."""


class ImagingError(SightlineError):
    """The pixels cannot be used; the message says why."""


class NothingToScore(ImagingError):
    """The study has no image that a model reads; the message says what it has."""


class UnsupportedSyntax(ImagingError):
    """The pixels are in a transfer syntax that is not decoded here; the PACS may be asked to convert them."""


class NoteError(SightlineError):
    """The document cannot be read; the message says why."""


class ModelError(SightlineError):
    """A model bundle cannot be loaded or run; the message says why."""


class NoSaliency(ModelError):
    """The model cannot show which places of a picture it goes by; the message says why."""


class EngineError(SightlineError):
    """What runs the models gives no answer; asked again later, it may."""


class Busy(EngineError):
    """There is more to do than can be done by the deadline; nothing was computed."""


class Away(EngineError):
    """The engine is not there, or broke off."""


class IntegrityError(SightlineError):
    """The record is not what it was when written; the message names the row."""
