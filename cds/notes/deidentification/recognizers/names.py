"""Names (Safe Harbor A) known by the words around them, and wherever else in the note they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.alternatives import by_letter
from cds.notes.deidentification.recognizers.pattern import TIMEOUT
from cds.notes.deidentification.words import listed

_NAME = r"(?:\p{Lu}[\p{L}'\u2019]+(?:-\p{Lu}[\p{L}'\u2019]+)*|\p{Lu}\.?(?![\p{L}\d]))"
_PARTICLE = r"(?:(?:de|la|del|della|van|von|der|den|bin|ibn|al|el|da|dos|di|le|st\.?)[ ]+){0,2}"
FULL = rf"{_NAME}(?:[ ]{_PARTICLE}{_NAME}){{0,3}}(?:,?[ ]+(?:Jr|Sr|II|III)\b\.?)?"
_REVERSED = rf"{_NAME},[ ]*{_NAME}(?:[ ]{_NAME}){{0,2}}"
_CREDENTIAL = by_letter(
    r"MD|M\.D\.|DO|D\.O\.|RN|R\.N\.|BSN|NP|N\.P\.|FNP|ARNP|APRN|DNP|CRNP|PA-C|PAC|PA|LPN|CNA|PhD|Ph\.D\.|PharmD|"
    r"RPh|RT|RRT|CRT|MBBS|MBChB|FRCR|FACS|DDS|DPM|LCSW|MSW|CRNA|CNM|EMT|EMT-P|RD|DPT|OTR|"
    r"PsyD|PSYD|EdD|DMD|AuD|LICSW|LMSW|LMFT|LPC|LVN|CMA|CCC-SLP|FNP-BC|NP-C|CNP|RDN|CCRN|FACC|FACEP|FACP|FAAFP|MS[1-4]|"
    r"PGY-?\d"
)
_CREDENTIAL = rf"(?:{_CREDENTIAL})\b"
_KIN = by_letter(
    r"wife|husband|spouse|partner|parents?|mother|father|mom|dad|daughters?|sons?|sisters?|brothers?|aunt|uncle|niece|nephew|"
    r"cousin|grandmother|grandfather|grandson|granddaughter|fianc[eé]e?|girlfriend|boyfriend|friend|neighbor|"
    r"roommate|caregiver|caretaker|guardian|siblings?|twins?|child|children|baby|interpreter|nurse|aide|coworker|secretary|"
    r"crew of|proxy|(?:nurse|resident|doctor|physician|intern) on (?:duty|call)"
)
_KIN = rf"(?i:(?:{_KIN})(?:-in-law)?)"
_LABEL = by_letter(
    r"patient(?:['\u2019]s)? name|pt name|patient|pt|full name|name|attending(?: physician)?|provider|pcp|"
    r"physician|primary care(?: physician| provider)?|resident|surgeon|author|signed|signature|cosigner|referring"
    r"(?: physician| provider)?|emergency contact|next of kin|nok|proxy|hcp|poa|contact|guardian|interpreter|"
    r"technologist|radiologist|reader|transcriptionist|cc|copy to|re|from|to|attn|dear|rn|nurse|subject|informant|"
    r"applicant|claimant|veteran|client|member|insured|subscriber|guarantor|owner|decedent|donor|recipient|inmate|employee|"
    r"student|child|caller|sender|witness|examiner|assistant|anesthesi(?:a|ologist)|technician|tech|phlebotomist|collector|"
    r"counselor|therapist|social worker|case ?(?:manager|worker)|investigator|principal|coach|judge|attorney|"
    r"adjuster|nm|ordering|ord|requested by|"
    r"scored by|crna|circulator|"
    r"hyg(?:ienist)?|asst|anes|supervisor|consultant|registrar|fellow|crew|driver|dentist|hygienist|midwife|doula|spouse|wife|husband|"
    r"mother|father|parent|daughter|son|reported by|collected by|treating (?:physician|provider)|"
    r"printed?(?: name)?|(?:referring|ordering|requesting|primary|family) (?:dr|doctor|physician|provider|md)"
)
FILLED = r"[ \t]*(?:[:=|\t]|\.{3,}|_{2,}|[ ]{3,})[ \t._|]*"
"""Between a label of a form and what was filled in."""
_BY = by_letter(
    r"(?:electronically |digitally )?(?:signed|authenticated|verified|approved|validated)(?: off)?(?: by)?|"
    r"(?:co-?signed|taken|initial(?:l?ed)|dictated|transcribed|reviewed|read|interpreted|performed|reported|"
    r"ordered|referred|seen|examined|evaluated|accompanied|brought(?: in| to \w+)?|interviewed|attended|"
    r"obtained|provided|notified|confirmed|prepared|written|entered|typed|completed|recorded|supervised|prescribed|"
    r"administered|witnessed) by|"
    r"(?:discussed|spoke|spoken|conferred|reviewed|follow(?:ed)?[ -]?up|met|lives?|appointment) with|"
    r"(?:f/u|appt|exam|visit|seen|staffed|consult) (?:w/|with)|attn|attention|"
    r"(?:reported|communicated|handed off|sign(?:ed)?[ -]?out|endorsed|called|paged|relayed|referred) to|"
    r"co-?sign|(?:message|msg|vm|word) (?:left )?(?:for|from)|"
    r"(?:i am|i'm|my name is|this is|goes by|(?:also )?known as|a\.k\.a\.|aka|named|called|paged|notified|per)"
)
_CUE = (
    r"(?:is an? \d|is an? \w+ \d|,? an? \d|presents?\b|presented\b|was (?:seen|admitted|brought)|reports\b|"
    r"denies\b|states\b|returns\b|complains\b)"
)

_INITIALS = r"(?:\p{L}{2,3}|(?:\p{L}\.[ ]?){2,3})"

_TITLED = regex.compile(
    r"\b(?:Dr|Drs|Mr|Mrs|Ms|Mx|Miss|Prof|Professor|Doctor|Sister|Nurse|Rev|Father|Sgt|Coach|Officer|Deputy|"
    r"Trooper|Detective|Judge|Pastor|Rabbi|Imam|Chaplain|Attorney|Captain|Capt|Lt|Lieutenant|Cpl|Det|(?<!\d[ ])Fr|"
    r"Msgr|Ofc|Sra|Sr|Mme|DR|MR|MRS|MS)\b"
    rf"\.?[ ]+(?P<phi>{FULL})"
)
"""After a title even a word such as Parkinson is somebody's name."""
_IN_CONTEXT = tuple(
    regex.compile(p)
    for p in (
        rf"\b(?i:{_LABEL}){FILLED}(?:(?i:dr|mrs?|ms)\.?[ ]+)?(?P<phi>{_REVERSED}|{FULL})",
        rf"\b(?i:{_BY})(?:[ ]+|[ ]*:[ ]*)(?:(?i:the|his|her|their|my)[ ]+)?(?:{_KIN}[ ,]+)?(?:Dr\.?[ ]+)?"
        rf"(?P<phi>{_REVERSED}|{FULL})",
        rf"(?<=[ ]){_CREDENTIAL}(?<=\b(?P<phi>{_REVERSED}|{FULL})[ ]*,?[ ]+{_CREDENTIAL})",
        rf"\b{_KIN}[ ,(:]+(?i:(?:is |named |called |name is )?)(?P<phi>{FULL})",
        rf"\b{_KIN}[ ,(:]+{_NAME}(?:[ ]{_NAME})?(?:,? (?:and|&) )(?P<phi>{FULL})",
        # Not "1.6 L. Retrieved", nor the first of a list: "A. Duodenum, biopsy".
        r"(?<![\w.-]|\d[ ])(?P<phi>\p{Lu}\.[ ]\p{Lu}\p{Ll}+(?:-\p{Lu}\p{Ll}+)*)"
        r"(?<!(?m:^)[ \t]*[A-H]\.[ ][\p{L}-]+)",
        r"\b(?:dr|drs|mr|mrs|ms)\.?[ ]+(?P<phi>\p{Ll}[\p{L}'\u2019-]{2,})",
        r"\b(?i:client|patient|pt|subject)[ :]+(?P<phi>\p{Lu}\.[ ]?\p{Lu}\.)",
        rf"(?m)^(?P<phi>{_INITIALS}[ ]?[/:][ ]?{_INITIALS})(?=[ \t]+(?i:dd?|dt)\b)",
        r"\b(?i:transcribed|typed|dictated)(?i:[ ]by)?[ ]?:[ ]*(?P<phi>\p{L}{2,3})\b(?=[ ]+\d)",
        r"\bsigned[ :]+(?P<phi>(?:\p{Ll}\.[ ]?){1,2}\p{Ll}{3,})",
        r"\b(?P<phi>\p{Ll}\.[ ]?\p{Ll}{3,})(?=,?[ ](?:md|rn|np|lpn|pa-c|cna)\b)",
        # Spelled for the one who types.
        r"(?<![\w-])(?P<phi>\p{L}(?:-\p{L}){3,})(?![\w-])",
        r"(?m)^[ \t]*(?P<phi>\p{L}{2,3})/(?=\p{Lu}\.[ ]?\p{Lu}\p{Ll})",
        # In a list of patients.
        r"(?m)^[ ]*(?:\d{1,2}[.)]|(?i:bed|rm|room)[ ]\w{1,4}[ ]?[-:])[ ]*"
        rf"(?P<phi>{_NAME})(?=[ ,]+\d{{1,3}}\s?(?:[MFmf]\b|y/?o))",
        # A word of another script in a note in English.
        r"(?P<phi>[^\P{L}\p{Latin}]{3,}(?:[ .-]+[^\P{L}\p{Latin}]+)*)",
        # Who wrote a line: "aware -tj", "Nowak/AZ 3/14", "taken by TJ".
        r"(?m)(?<=[\w.)])[ ]-{1,6}[ ]?(?P<phi>\p{Lu}{2,3}|\p{Ll}{2,3})"
        r"(?=[ \t]*(?:$|,?[ ](?i:rn|ma|md|do|np|pa|lpn|cna|rt|rd|pt|ot|lcsw|pharmd)\b))",
        r"(?<=[.?!])\s-{1,2}[ ]?(?!(?:CV|GEN|ABD|EXT|FEN|PPX|[DTHF]X|ABX|LFT|BUN|GFR|UA|DME|VTE|PO|TTE)\b)"
        r"(?P<phi>\p{Lu}{2,3})(?=\s+[\p{Lu}\u2022*-]|\s*$)",
        r"[ ]from[ ](?<=\b(?P<phi>\p{L}[\p{L}'\u2019-]{2,})[ ]from[ ])(?i:the[ ])?"
        r"(?i:radiology|lab|laboratory|pharmacy|blood bank|micro(?:biology)?|pathology|"
        r"transfer center|front desk|scheduling|bed control|telemetry|transport)[ ]"
        r"(?i:called|rang|phoned|paged|reports|says)\b",
        rf"(?m)^{FULL}/(?P<phi>\p{{Lu}}{{2,3}}|\p{{Ll}}{{2,3}})"
        r"(?=[ \t]+(?:the[ ])?(?:\d|\p{Lu}\p{Ll}+,?[ ]'?\d))",
        r"\b(?i:taken|rec'?d|recorded|entered|noted|charted|initial(?:l?ed)|done)[ ](?i:by)[ ]?:?[ ]?"
        r"(?P<phi>\p{Lu}{2,3}|\p{Ll}{2,3})(?=[ \t]*(?:$|\n|\d|[.,;]))",
        # Who speaks for a service: "Nowak surgery: will staple".
        rf"(?m)(?:^|[.;][ ])(?P<phi>{_NAME})[ ]"
        r"(?i:anesthesia|surgery|cards|renal|ortho|neuro|gi|pulm|onc|heme|uro|ent)[ ]?:[ ]",
        rf"[(](?P<phi>{FULL})[ ][+][ ](?P<phi>{FULL})[)]",
        r"[(][\"\u201c](?P<phi>\p{Lu}\p{L}+)[\"\u201d][)]",
        rf"(?:^|[.\n:]\s*)(?P<phi>{_NAME}[ ]+(?:{_NAME}[ ]+)?{_NAME})[ ]*,?[ ]*{_CUE}",
        # Under a letter.
        r"(?m)^[ ]*(?i:sincerely|(?:kind |best |warm )?regards|thank(?:s| you)|yours(?: \w+)?|respectfully|"
        rf"cheers|best),?[ ]*\n\s*(?P<phi>{FULL})(?=[ ]*(?:,|\n|$))",
    )
)
_SIGNED = regex.compile(
    r"\b(?i:signed|attn|attention|cosigned|dictated by|read by|ordered by)[ ]?:?[ ]"
    r"(?P<phi>(?:\p{Lu}\.?[ ]){1,2}\p{Lu}[\p{L}'\u2019-]+)"
)
"""Initials and a surname, which are no heading even in capitals."""
_DOES = by_letter(
    r"(?:dis)?agree[sd]|concur(?:s|red)|thinks|feels|believes|suspects|recommend(?:s|ed)|"
    r"(?:thought|felt)(?! (?:to|likely|unlikely|secondary|due)\b)|"
    r"wants|prefers|insist(?:s|ed)|object(?:s|ed)|says|said|asks|asked|phoned|texted|rounded|signed off|came by|"
    r"(?:will|to|can) (?:see|scope|operate|follow up with|call back)|is (?:aware|unsure|not convinced|covering)|"
    r"(?:aware|notified|paged)(?=[.,;\n]|$| of| x\d)|d/w\b|differs\b"
)
_AGENT = regex.compile(
    rf"[ ](?=(?i:{_DOES}))(?<=(?:^|[.;:,(\u2013\u2014-]\s*|"
    r"\b(?i:and|but|as|because|that|so|then|while|when|if)[ ]|\n\s*)(?P<phi>\p{Lu}[\p{L}'\u2019-]+)[ ])"
)
"""Who does what people do. Not "Radiology agreed": such words are listed."""
_TELLING = (_IN_CONTEXT[0], _IN_CONTEXT[2], _SIGNED)
"""A label or a credential tells a name even where every word has capitals."""
_LINE_SIGNED = regex.compile(
    r"(?m)^[ \t]*(?=\d{1,2}[/:.-]?\d\d?)[^\n]{8,400}?(?:[.?!)]|[ ]{2})[ ]{1,40}(?P<phi>\p{Lu}{2,3})[ \t]{0,9}$"
)
"""An entry of a log, which begins with a date or a time and ends with who made it."""
_LAST = regex.compile(
    r"(?:[.?!)]|\d/\d{1,2}|\n[>\s]*|[ ][-\u2013\u2014])[ ]*(?P<phi>\p{Lu}{2,3}|(?<=[\n.] ?)\p{Ll}{2,3})\s*$"
)
"""Who wrote a note: "Return in May. TJ"."""
_LONGEST_LAST = 20
_WORD = regex.compile(r"\b\p{Lu}[\p{L}'\u2019]+(?:-\p{Lu}[\p{L}'\u2019]+)*")
_DAY_BEFORE = regex.compile(r"\d(?:st|nd|rd|th)?[ -](?:of )?$")
"""A month, such as April, not a name."""
_ANY_WORD = regex.compile(r"\b\p{L}[\p{L}'\u2019]+(?:-\p{L}[\p{L}'\u2019]+)*")
_SURNAME_AFTER = regex.compile(rf"[ ]+(?:\p{{Lu}}\.?[ ]+)?{_PARTICLE}(?P<phi>\p{{Lu}}[\p{{L}}'\u2019-]+)")


class NameRecognizer(EntityRecognizer):
    """Titles, labels, credentials, kin, signatures, common given names; then every further mention."""

    score: ClassVar[float] = 0.85
    further: ClassVar[float] = 0.6

    def __init__(self) -> None:
        super().__init__(supported_entities=[str(Category.NAME)])

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: Sequence[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Raise :class:`TimeoutError` where a pattern takes too long."""
        found = [
            *self._titled(text),
            *self._in_context(text),
            *self._agents(text),
            *self._given(text),
            *_signing(text),
        ]
        results = [RecognizerResult(Category.NAME, *span, self.score) for span in found]
        further = set(further_mentions(text, found)) - set(found)
        return results + [RecognizerResult(Category.NAME, *span, self.further) for span in further]

    def _titled(self, text: str) -> Iterator[tuple[int, int]]:
        for match in _TITLED.finditer(text, timeout=TIMEOUT):
            start, end = match.span("phi")
            capitals = all_capitals(text, start, end)
            behind = next(_behind_the_name(match["phi"], capitals=capitals), None)
            yield start, start + len(match["phi"][: behind.start()].rstrip()) if behind else end

    def _in_context(self, text: str) -> Iterator[tuple[int, int]]:
        for pattern in (*_IN_CONTEXT, _SIGNED):
            for match in pattern.finditer(text, timeout=TIMEOUT):
                if pattern not in _TELLING and all_capitals(text, *match.span()):
                    continue
                for start, end in match.spans("phi"):
                    yield from _trimmed(text[start:end], start)

    def _agents(self, text: str) -> Iterator[tuple[int, int]]:
        for match in _AGENT.finditer(text, timeout=TIMEOUT):
            word = _bare(match["phi"])
            initials = match["phi"].isupper() and not all_capitals(text, *match.span("phi"))
            if not initials and word not in listed("not_names") - listed("ordinary"):
                yield match.span("phi")

    def _given(self, text: str) -> Iterator[tuple[int, int]]:
        for match in _WORD.finditer(text, timeout=TIMEOUT):
            if _bare(match[0]) not in listed("given_names"):
                continue
            if _DAY_BEFORE.search(text, max(0, match.start() - 8), match.start()):
                continue
            after = _SURNAME_AFTER.match(text, match.end())
            named = after and after["phi"].casefold() not in listed("not_names")
            yield match.start(), (after.end() if after and named else match.end())


def _signing(text: str) -> Iterator[tuple[int, int]]:
    """Initials at the end of a note, and those that sign two entries or more of a log."""
    last = _LAST.search(text, max(0, len(text) - _LONGEST_LAST))
    if last and last["phi"].casefold() not in listed("not_names") and not all_capitals(text, *last.span("phi")):
        yield last.span("phi")
    signed = list(_LINE_SIGNED.finditer(text, timeout=TIMEOUT))
    often = Counter(match["phi"] for match in signed)
    for match in signed:
        if often[match["phi"]] > 1 and match["phi"].casefold() not in listed("not_names"):
            yield match.span("phi")


def _behind_the_name(said: str, *, capitals: bool) -> Iterator[regex.Match[str]]:
    """Words after a title that are no more of the name: the plain ones, as in "Dr. Foley Radiology".

    In a text all in capitals a capital says nothing: a surname alone is taken, or a given name and one word.
    """
    words = list(_WORD.finditer(said))
    sure = 1 + (bool(words) and _bare(words[0][0]) in listed("given_names"))
    for place, word in enumerate(words[1:], 1):
        if word[0].casefold() in listed("not_names") or (capitals and place >= sure):
            yield word


def all_capitals(text: str, start: int, end: int) -> bool:
    """Whether the text around is in capitals, which then say nothing of a name."""
    around = text[max(0, start - 30) : end + 30]
    return sum(map(str.islower, around)) * 4 < sum(map(str.isupper, around))


def _bare(word: str) -> str:
    """``word`` casefolded, without the ending of a possessive."""
    small = word.casefold()
    return small[:-2] if small.endswith(("'s", "\u2019s")) else small


def _trimmed(name: str, offset: int) -> Iterator[tuple[int, int]]:
    """The span of ``name`` without plain words at either end; none where nothing else is left."""
    words = list(regex.finditer(r"[\p{L}'\u2019.-]+", name))
    while words and _names_nobody(words[-1][0]):
        words.pop()
    while words and _names_nobody(words[0][0]):
        words.pop(0)
    if any(len(w[0].strip(".")) > 1 for w in words):
        yield offset + words[0].start(), offset + words[-1].end()


def _names_nobody(word: str) -> bool:
    """Not so the initial A, though the article is a plain word."""
    bare = word.strip(".")
    return bare.casefold() in listed("not_names") and bare != "A"


def further_mentions(text: str, found: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Other mentions of the words of names found, unless the word is also a term or stands in lower case too."""
    words = {w[0] for start, end in found for w in _ANY_WORD.finditer(text[start:end]) if len(w[0]) > 2}
    plain = listed("not_names")
    names = {_bare(w) for w in words} - plain
    small = {w for w in words if w.islower()} - plain - listed("ordinary")
    again: dict[str, bool] = {}
    for match in (_ANY_WORD if small else _WORD).finditer(text, timeout=TIMEOUT):
        word = match[0]
        if word not in again:
            again[word] = _bare(word) in (names if word[0].isupper() else small)
        if again[word]:
            yield match.span()
