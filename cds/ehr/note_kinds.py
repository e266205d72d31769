"""Where an EHR keeps what was written about a patient: which resources, how asked for, which of them count.

FHIR R4: documentreference.html, diagnosticreport.html, composition.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cds.ehr.datatypes import (
    Resource,
    codes,
    element,
    elements,
    instance,
    local_reference,
    parse_datetime,
    reference,
    string,
)
from cds.findings import AI_ASSERTED, PRESCREEN_IDENTIFIER

RADIOLOGY = ("RAD", "LP29684-5")
"""Radiology as a category of reports: HL7 v2 table 0074, and LOINC as US Core asks."""
_RADIOLOGY = frozenset({*RADIOLOGY, "RX", "RUS", "CT", "CTH", "NMR", "NMS", "XRC", "VUS", "IMG", "imaging"})


@dataclass(frozen=True, slots=True)
class NoteKind:
    """One resource type that holds notes."""

    type: str
    prefetch: str
    """The key under which a hook may bring them along."""
    name: str
    """What a clinician calls them."""
    params: Mapping[str, str]
    statuses: frozenset[str]
    dated: Callable[[Resource], datetime | None]
    holds: Callable[[Resource], bool] = lambda resource: True
    """Whether a resource is a note at all, for servers that pass over search parameters."""

    def counts(self, resource: Resource, since: date) -> bool:
        """Whether it is current, not older than ``since``, not a mistake, and written by a person."""
        dated = self.dated(resource)
        return (
            string(resource, "status") in self.statuses
            and string(resource, "docStatus") != "entered-in-error"
            and (dated is None or dated.date() >= since)
            and not _by_an_algorithm(resource)
            and self.holds(resource)
        )


def standing(notes: Sequence[Resource]) -> list[Resource]:
    """``notes`` without those that another of them replaces, whether or not the EHR marks them as superseded."""
    replaced = {
        target for note in notes for target in related(note, "replaces") if target != local_reference(note)
    }
    return [note for note in notes if local_reference(note) not in replaced]


def related(note: Resource, how: str) -> Iterator[str]:
    """``Type/id`` of each that its ``relatesTo`` says it ``replaces`` or ``appends``, in R4's code."""
    for relation in elements(note, "relatesTo"):
        if string(relation, "code") == how:
            # A Composition names the target otherwise.
            yield instance(reference(relation, "target") or reference(relation, "targetReference"))


def _by_an_algorithm(resource: Resource) -> bool:
    """Our own prescreens, by their identifier or label, and whatever else an algorithm asserts.

    What a model said must never be what a model reads.
    """
    ours = {string(identifier, "system") for identifier in elements(resource, "identifier")}
    labels = {string(label, "code") for label in elements(element(resource, "meta"), "security")}
    return PRESCREEN_IDENTIFIER in ours or AI_ASSERTED in labels


def _moment(*names: str) -> Callable[[Resource], datetime | None]:
    """The first of these elements that is a date; ``name.start`` is a Period's."""

    def read(resource: Resource) -> datetime | None:
        texts = (
            string(element(resource, n.partition(".")[0]), "start") if "." in n else string(resource, n)
            for n in names
        )
        return next(filter(None, map(parse_datetime, texts)), None)

    return read


def _is_radiology(report: Resource) -> bool:
    """By its category, or by the study that it reports on; a report without a category may be anything."""
    categories = {code for category in elements(report, "category") for code in codes(category)}
    return bool(categories & _RADIOLOGY or elements(report, "imagingStudy")) or not categories


DOCUMENTS = NoteKind(
    type="DocumentReference",
    prefetch="documents",
    name="clinical notes",
    params={"category": "clinical-note"},
    statuses=frozenset({"current"}),
    dated=_moment("date"),
)
COMPOSITIONS = NoteKind(
    type="Composition",
    prefetch="compositions",
    name="compositions",
    params={},
    statuses=frozenset({"preliminary", "final", "amended"}),
    dated=_moment("date"),
)
REPORTS = NoteKind(
    type="DiagnosticReport",
    prefetch="reports",
    name="radiology reports",
    params={"category": ",".join(RADIOLOGY)},
    statuses=frozenset({"partial", "preliminary", "final", "amended", "corrected", "appended"}),
    dated=_moment("effectiveDateTime", "effectivePeriod.start", "issued"),
    holds=_is_radiology,
)

NOTE_KINDS = (DOCUMENTS, COMPOSITIONS, REPORTS)


def kind_of(resource: Resource) -> NoteKind:
    """The kind that a resource of one of the types is of."""
    return next(kind for kind in NOTE_KINDS if kind.type == resource.get("resourceType"))
