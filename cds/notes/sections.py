"""Sections of a note by their headings, whatever form those have: what is family history is no finding.

A heading is a line, or begins one: ``IMPRESSION:``, ``Impression``, ``## Impression``, ``**Impression:** clear``,
``3. Impression``, ``Impression. Clear``; with a colon it may also stand within a line. What HTML and
C-CDA mark as a heading arrives here as ``Impression:``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a section is about."""

    IMPRESSION = "impression"
    ADDENDUM = "addendum"
    FINDINGS = "findings"
    HISTORY = "history"
    REASON = "reason"
    EXAM = "exam"
    RESULTS = "results"
    PLAN = "plan"
    PAST_HISTORY = "past_history"
    MEDICATIONS = "medications"
    SOCIAL_HISTORY = "social_history"
    TECHNIQUE = "technique"
    COMPARISON = "comparison"
    FAMILY_HISTORY = "family_history"
    ALLERGIES = "allergies"
    ADMINISTRATIVE = "administrative"
    OTHER = "other"
    """What stands under no heading, or under one that we do not know."""


NOT_ABOUT_FINDINGS = frozenset({Kind.FAMILY_HISTORY, Kind.ALLERGIES, Kind.ADMINISTRATIVE})
"""Sections that say nothing of what the patient has now."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a note: its lines as they stand, the heading among them."""

    kind: Kind
    text: str


_RELATIVE = (
    r"(?:(?:maternal|paternal|step|half|older|younger|elder|twin)[ -]?)*"
    r"(?:mother|father|mom|dad|parents?|brothers?|sisters?|siblings?|sons?|daughters?|children|"
    r"(?:grand(?:mother|father|parents?|ma|pa))|(?:half[ -])?(?:aunts?|uncles?|cousins?|nieces?|nephews?))"
)
_HISTORY = r"(?:hx|h/o|hist(?:ory)?)"
_NAMES: dict[Kind, str] = {
    Kind.IMPRESSION: (
        r"(?:(?:clinical|radiolog(?:ic|ical|ist'?s?)|radiographic|diagnostic|final|overall|initial|preliminary|"
        r"ct|mri?|cxr|ed) )?(?:impressions?|imp|conclusions?|interpretation|opinion|summary)|"
        r"impression ?(?:and|&|/) ?(?:plan|recommendations?)|findings ?(?:and|&|/) ?impression|"
        r"(?:clinical |nursing )?assessments?|(?:assessment|a) ?(?:and|&|/|\+) ?(?:plan|p|recommendations?)|ap?|"
        r"(?:(?:final|admitting|admission|discharge|primary|principal|secondary|working|differential|clinical|"
        r"pre-?operative|post-?operative|preop|postop|encounter|visit|ed) )?(?:diagnos[ie]s|dx|ddx)|"
        r"medical decision making|mdm|(?:ed|hospital|clinical|brief hospital|interval) course"
    ),
    Kind.ADDENDUM: (
        r"(?:(?:attending|radiologist|final)(?:'s)? )?addend(?:um|a)\b.{0,40}|"
        r"(?:report |attending )?correction\b(?: to (?:the )?(?:report|impression|above))?|"
        r"(?:corrected|amended|revised) (?:report|impression|findings)|discrepancy(?: (?:report|note))?"
    ),
    Kind.FINDINGS: (
        r"(?:(?:imaging|radiographic|ct|mri?|cxr|chest|intra-?operative|operative|pertinent) )?findings|"
        r"report|(?:radiology|imaging|original|initial|preliminary) report|observations?|description"
    ),
    Kind.HISTORY: (
        rf"hpi|{_HISTORY} of (?:the )?present(?:ing)? (?:illness|complaint|condition)|present illness|"
        rf"interval {_HISTORY}|interval (?:events?|update)|{_HISTORY}|subjective|s|overnight(?: events?)?|"
        r"events|narrative|(?:nursing|progress|clinical|visit) notes?|review of (?:the )?systems|ros|symptoms"
    ),
    Kind.REASON: (
        r"(?:clinical |study )?indications?(?: for (?:study|exam|examination|procedure))?|"
        r"(?:chief|presenting|primary)(?: complaint| concern)s?(?: and reason for visit)?|cc|complaint|"
        r"reason for (?:the )?(?:exam|examination|study|visit|admission|consult(?:ation)?|test|referral|order)|"
        rf"(?:clinical|pertinent|relevant) (?:{_HISTORY}|information|data|question|details|statement)"
    ),
    Kind.EXAM: (
        r"(?:(?:physical|clinical|focused|general|chest|lung|objective|admission|discharge) )?"
        r"exam(?:ination)?(?: findings)?|pe|physical|objective|o|physical findings"
    ),
    Kind.RESULTS: (
        r"(?:vitals?|vital signs|vs)|(?:(?:pertinent|relevant|recent|diagnostic|laboratory|lab|imaging|radiology|"
        r"test|significant|hospital discharge) )?(?:results|data|labs|laboratory|laboratories|studies|imaging|"
        r"diagnostics|radiology)|labs? (?:and|&|/) ?imaging|ekg|ecg|echo(?:cardiogram)?|microbiology|pathology|"
        r"chest x-?ray|cxr|chest radiograph|ct chest|chest ct"
    ),
    Kind.PLAN: (
        r"plans?|(?:treatment|care|discharge) plan|plan of (?:care|treatment)|recommendations?|disposition|"
        r"follow[ -]?up|discharge instructions|p|to do"
    ),
    Kind.PAST_HISTORY: (
        rf"(?:past|prior|previous|significant|other)(?: (?:medical|surgical|pulmonary|cardiac))? {_HISTORY}|"
        rf"(?:medical|surgical|cardiac|pulmonary|birth|psychiatric|ob/?gyn) {_HISTORY}|pmhx?|pshx?|"
        rf"past medical(?: ?(?:and|&|/) ?surgical)? {_HISTORY}|(?:active |chronic |resolved )?problem(?:s| list)|"
        r"comorbidities|(?:past )?procedures"
    ),
    Kind.MEDICATIONS: (
        r"(?:(?:current|home|discharge|admission|outpatient|active|prior to admission) )?(?:medications?|meds)"
        r"(?: (?:list|on (?:admission|discharge)))?|drugs"
    ),
    Kind.SOCIAL_HISTORY: (
        rf"social(?: {_HISTORY})?|shx?|(?:tobacco|smoking|substance|occupational|travel|exposure) {_HISTORY}"
    ),
    Kind.TECHNIQUE: (
        r"techniques?|contrast|views?|procedure|protocol|"
        r"exam(?:ination)? type|type of exam(?:ination)?|study|radiation dose|dose"
    ),
    Kind.COMPARISON: r"comparisons?(?: studies| study)?|compared (?:to|with)",
    Kind.FAMILY_HISTORY: (
        rf"family|(?:pertinent )?(?:family|fam)(?: ?(?:and|&|/) ?social)?(?: medical)? {_HISTORY}|"
        rf"(?:family|fam) hx|fhx?|fmhx?|{_RELATIVE}(?: (?:side|{_HISTORY}))?"
    ),
    Kind.ALLERGIES: (
        r"(?:(?:drug|medication|food|known) )?(?:allerg(?:y|ies)|adverse reactions)|"
        r"immunizations?|vaccin(?:es|ations)"
    ),
    Kind.ADMINISTRATIVE: (
        r"insurance|payers?|care team|advance directives?|demographics|code status|"
        r"(?:electronically )?signed(?: by)?|attestation|disclaimer|language|emergency contacts?"
    ),
}
_KNOWN = re.compile("|".join(f"(?P<{kind}>{names})" for kind, names in _NAMES.items()))
_LINE = re.compile(
    r"(?:#{1,6}|[-•·>])? {0,4}[*_]{0,3}(?:(?:\d{1,2}|[IVX]{1,4}|[A-H])[.)] {1,4})?[*_]{0,3}"
    r"(?P<title>[A-Za-z][A-Za-z0-9/&+,#'() -]{0,59}?) {0,4}[*_]{0,3} {0,4}"
    r"(?P<mark>:|[.\u2013\u2014-](?=\s|$)|$)"
)
_LONGEST_HEADING = 120
_WITHIN = re.compile(r"(?<=[.;:)\d])(?:,? +|,)(?=(?P<title>[A-Za-z][A-Za-z/&' -]{1,40}):(?:[\s,]|$))")
"""Before what may be a heading within a line, as interfaces that lose line breaks leave it."""
_OF_RELATIVES = re.compile(rf"\b{_RELATIVE}\b|\b(?:maternal|paternal)\b", re.IGNORECASE)
_FAMILY_SENTENCE = re.compile(
    r"(?:(?<=[.;!?]\s)|^)(?:(?:there is|has|he has|she has|they have|patient has) (?:an? )?)?"
    rf"(?:(?:no|strong|positive|known|significant) )?(?:(?:family|fam) (?:medical )?{_HISTORY}|fhx?)\b"
    r"(?:(?!\n\s{0,9}\n)[^.;!?])*[.;!?]?",
    re.IGNORECASE | re.MULTILINE,
)
"""A sentence on the family's history wherever it stands; it begins with those words."""

_BOX = r"\[[ _xX✓]?\]|\([ _xX✓]\)|[☐□☑☒]"
_UNTICKED = re.compile(rf"(?:\[[ _]?\]|\([ _]\)|[☐□])(?:(?!{_BOX}).)*")
"""A box that nobody ticked, up to the next or the line's end: a form names all that it could say."""
_WHERE_IT_BEGINS = re.compile(r"\A[^\n]*(?:\n[ \t]*[a-z][^\n]*)*")
"""The line of a section's heading, with what an editor wrapped."""
_SENTENCE = re.compile(r"(?:[^.;\n]|(?<=\d)\.(?=\d)|\n)+[.;]?")
_SHOWED = re.compile(r"\b(?:show|demonstrat|reveal|describ|report|mention|not)(?:s|es|ed|ing)\b", re.IGNORECASE)
_SINCE = re.compile(
    r"\b(?:now|today|since|interval|current|again|unchanged|stable|new|increas|decreas|improv|worse|large[rd]|enlarg|"
    r"smaller|persist|remain|resol|clear)",
    re.IGNORECASE,
)


def kind_of(title: str) -> Kind | None:
    """What a heading of this name announces, ``None`` for a name that we do not know."""
    known = _KNOWN.fullmatch(" ".join(re.sub(r"\([^)]*\)", " ", title).casefold().strip(" :.*_#").split()))
    return Kind(str(known.lastgroup)) if known else None


def split(text: str) -> list[Section]:
    """The sections in their order; a heading that we do not know stays in the section that it stands in."""
    found: list[tuple[Kind, list[str]]] = [(Kind.OTHER, [])]
    for line in _WITHIN.sub(_broken, text).split("\n"):
        kind = _begun(line, *found[-1])
        if kind is None:
            found[-1][1].append(line)
        else:
            found.append((kind, [line]))
    sections = (Section(kind, "\n".join(lines).strip("\n")) for kind, lines in found)
    return [section for section in sections if section.text.strip()]


def _broken(before: re.Match[str]) -> str:
    """A line break before a heading in capitals or one that we know, but for "Children: two." and its like."""
    title = before["title"]
    known = kind_of(title)
    return "\n" if title.isupper() or (known and known not in NOT_ABOUT_FINDINGS) else before[0]


def _begun(line: str, current: Kind, lines: list[str]) -> Kind | None:
    """The kind of the section that ``line`` begins, if it begins one."""
    title, mark, _ = _heading(line)
    # Without a colon only a name of some length, written as a name, is taken for a heading.
    named = mark == ":" or (len(title) > 2 and title[0].isupper())
    if named and (kind := kind_of(title)):
        return kind
    if current not in NOT_ABOUT_FINDINGS or (current is Kind.FAMILY_HISTORY and _OF_RELATIVES.search(line)):
        return None
    # What may be left out ends early rather than late: with an unknown heading, or with its paragraph.
    unknown = title and (mark == ":" or (not mark and title.isupper()))
    return Kind.OTHER if unknown or (line.strip() and _paragraph_ended(lines)) else None


def _heading(line: str) -> tuple[str, str, bool]:
    """What may be the name of a heading, what ends it, and whether text follows on the same line."""
    start = line.strip()[:_LONGEST_HEADING]
    heading = _LINE.match(start)
    return (heading["title"], heading["mark"], heading.end() < len(start)) if heading else ("", "", False)


def _paragraph_ended(lines: list[str]) -> bool:
    """Whether the section has had text, beside its heading or below it, and a blank line after that."""
    *_, inline = _heading(lines[0])
    return not lines[-1].strip() and (inline or any(line.strip() for line in lines[1:]))


def about_findings(text: str) -> Iterator[Section]:
    """What may speak of a finding of the patient's own: the other sections, and sentences, are left out."""
    for section in split(text):
        if section.kind not in NOT_ABOUT_FINDINGS:
            text = _of_this_study(section.text) if section.kind is Kind.COMPARISON else section.text
            yield Section(section.kind, _UNTICKED.sub("", _FAMILY_SENTENCE.sub("", text)).strip("\n"))


def _of_this_study(comparison: str) -> str:
    """Without what the study that this one is compared with showed; what has changed since then stays."""

    def kept(sentence: re.Match[str]) -> str:
        of_the_other = _SHOWED.search(sentence[0]) and not _SINCE.search(sentence[0])
        return "" if of_the_other else sentence[0]

    return _WHERE_IT_BEGINS.sub(lambda begin: _SENTENCE.sub(kept, begin[0]), comparison)
