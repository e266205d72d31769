"""The forms in which an EHR keeps notes: PDF, RTF, HTML and C-CDA, written from plain sections."""

from __future__ import annotations

from cds.sandbox.patients.documents.ccda import ccda
from cds.sandbox.patients.documents.html import html
from cds.sandbox.patients.documents.pdf import pdf
from cds.sandbox.patients.documents.rtf import rtf
from cds.sandbox.patients.documents.sections import Section, sections

__all__ = ["Section", "ccda", "html", "pdf", "rtf", "sections"]
