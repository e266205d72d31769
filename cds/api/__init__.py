"""The plain JSON API for callers without FHIR."""

from cds.api.views import blueprint

__all__ = ["blueprint"]
