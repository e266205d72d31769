"""A clinical note as sentences, each with the heading that it stands under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cds.engine.wording import DENIED, ECHOED

_TICKED = r"(?:\[[xX✓]\]|\([xX✓]\))[ \t]*"
_BULLET = rf"[ \t]*(?:[-*•#>☑☒✓]+[ \t]*(?:{_TICKED})?|{_TICKED}|\(?\d{{1,2}}[.)][ \t]+)?"
_AFFIRMED = r"[ \t]*(?:(?i:yes|present|positive(?! for))\b|\+)"
"""Of "Pneumothorax: yes" no half says anything by itself: it is a sentence, and no heading."""
_HEADING = re.compile(rf"{_BULLET}(?P<title>[A-Z][A-Za-z0-9/&'() -]{{1,39}}?)[ \t]*:(?!\d|{_AFFIRMED})[ \t]*")
_CAPITALS = re.compile(
    r"[ \t]*+(?P<title>(?=.*(?:HISTORY|EXAM|FINDINGS|IMPRESSION|PLAN|ASSESSMENT|MEDICATION|ALLERG|REVIEW|VITAL|"
    r"RESULT|INDICATION|TECHNIQUE|COMPARISON|DIAGNOS|COURSE|DATA|LABS|IMAGING|COMPLAINT|ILLNESS|PROCEDURE|REPORT|RECOMMEND|"
    r"DISPOSITION|SUMMARY|NOTE\b|SUBJECTIVE|OBJECTIVE|CONCLUSION))[A-Z][A-Z/&' -]{2,39})[ \t]*$"
)
"""In a report all in capitals a line may as well be a finding: a heading is one by its words."""
_SECTION = re.compile(
    rf"{_BULLET}(?P<title>(?:chief complaint|reason for (?:exam|referral|visit)|indication|comparison|technique|"
    r"clinical (?:history|information)|findings?|impression|conclusion|history of (?:the )?present illness|hpi|"
    r"interval history|(?:past )?(?:medical|surgical|family|social) history|review of systems|ros|"
    r"medications?|allergies|vital signs|vitals(?: reviewed)?|physical exam(?:ination)?|exam(?:ination)?|results|"
    r"assessment|plan|assessment (?:and|&) plan|hospital course|discharge diagnos[ei]s|family hx|"
    r"pmh|fhx?))[ \t]*$",
    re.IGNORECASE,
)
_PROBLEM = re.compile(
    r"[ \t]*#[ \t]?[A-Z]|"
    rf"{_BULLET}(?i:(?:[a-z]+ ){{0,2}}(?:pna|pneumonia|(?:[cv]|hc?)ap|chf|adhf|heart failure|edema|ptx|"
    r"pneumothorax|effusions?|mass|nodule)[ \t]*:[ \t]*(?:cont(?:inue)?|start(?:ed)?|abx|antibiotics|ceftriaxone|"
    r"cefepime|vanc|zosyn|levaquin|azithro(?:mycin)?|augmentin|lasix|diures[ei]s?|tap|drain|chest tube|biopsy)\b)"
)
"""Of "#PNA: observe" and of "PNA: continue antibiotics" the title is what the patient has."""
_MOST_WORDS = 6
"""Of a heading; more before a colon is a sentence."""

_END = re.compile(
    r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bvs)(?<!\bcf)(?<!\bapprox)(?<!\be\.g)(?<!\bi\.e)(?<!\bSt)(?<!\bNo)"
    rf"(?<!^\d)(?<![\s(]\d)(?!\?+\s+(?i:{DENIED}))[.?!]+(?=\s|$)[)\"']*\s*|[;•]\s+|(?<=\))[.]\s*"
)
"""A question stays with the answer that denies what it asks."""
_ECHOED = re.compile(ECHOED, re.IGNORECASE)
LONGEST = 600
"""Characters of a sentence: a model reads no more of one, and looking around each of its words takes long."""
_WRAPPED_AT = 45
"""A line at least so long, without a full stop, may go on in the next."""
_DANGLING = re.compile(
    r"\b(?:no|not|nor|or|and|without|with|of|for|to|in|on|at|by|from|than|the|an?|is|are|was|were|has|have|any|new|"
    r"acute|focal|evidence)$|,$",
    re.IGNORECASE,
)
"""How no line ends that is whole, however short it is: a denial would be torn from what it denies."""
_CARRIED_ON = re.compile(r"[ \t]*(?:of|or|nor|and|without|than|is|are|was|were|has|have)\b")
"""How no sentence begins."""
_IN_SENTENCES = re.compile(r"[ \t]*(?:[a-z0-9(]|[A-Z][a-z])")
_IN_CAPITALS = re.compile(r"[ \t]*[A-Za-z0-9(]")
_OPENER = re.compile(_BULLET)


@dataclass(frozen=True, slots=True)
class Sentence:
    """``note[start:end]`` as a model reads it."""

    start: int
    end: int
    text: str
    """On one line, without bullets."""
    heading: str
    """In lower case; empty where there is none."""


def sentences(text: str) -> list[Sentence]:
    """The sentences of ``text`` in their order; headings are no sentences themselves.

    A heading alone on its line rules until the next one, a heading within a line until the line ends.
    """
    found: list[Sentence] = []
    ruling = ""
    for start, end in _lines(text):
        line = text[start:end]
        if title := _title(_SECTION, line) or _title(_CAPITALS, line) or _alone(line):
            ruling = title
        else:
            found += _of_line(text, start, end, ruling)
    return found


def _of_line(text: str, start: int, end: int, ruling: str) -> Iterator[Sentence]:
    heading = ruling
    for begin, stop in _pieces(text, start, end):
        at, titles = _after_headings(text, begin, stop)
        heading = f"{ruling} {titles[-1]}".strip() if titles else heading
        said = " ".join(text[at:stop].split())
        if re.search(r"[A-Za-z]{2}", said):
            yield Sentence(at, stop, said, heading)


def _after_headings(text: str, start: int, end: int) -> tuple[int, list[str]]:
    """Where the sentence begins behind its bullet and its headings, and those."""
    titles = []
    while title := _within(piece := text[start:end]):
        titles.append(title)
        start += _length(_HEADING, piece)
    return start + _length(_OPENER, text[start:end]), titles


def _length(form: re.Pattern[str], text: str) -> int:
    match = form.match(text)
    return match.end() if match else 0


def _title(form: re.Pattern[str], line: str) -> str:
    match = form.match(line)
    title = match["title"].strip() if match else ""
    return title.lower() if len(title.split()) <= _MOST_WORDS else ""


def _alone(line: str) -> str:
    """The heading of a line that has nothing else."""
    return "" if line[_length(_HEADING, line) :].strip() else _within(line)


def _within(line: str) -> str:
    """The heading that begins a line, on which text may follow; none is the name of a problem."""
    title = _title(_HEADING, line)
    return "" if _PROBLEM.match(line) and not _SECTION.match(title) else title


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Lines as they were meant: those that an editor wrapped are put together."""
    start = 0
    for match in re.finditer(r"\n", text):
        last = text[max(start, text.rfind("\n", start, match.start()) + 1) : match.start()].rstrip()
        following = text[match.end() : match.end() + 80].partition("\n")[0]
        if not _goes_on(last, following):
            yield start, match.start()
            start = match.end()
    yield start, len(text)


def _goes_on(line: str, following: str) -> bool:
    if not line or line[-1] in ".:;?!" or _CAPITALS.match(line):
        return False
    if _HEADING.match(following) or _CAPITALS.match(following):
        return False
    dangling = _DANGLING.search(line)
    carried_on = _CARRIED_ON.match(following.lower() if line.isupper() else following)
    if len(line) < _WRAPPED_AT and not dangling and not carried_on:
        return False
    # Beside lines of small letters one in capitals may be a heading that we do not know.
    goes_on = _IN_CAPITALS if dangling or line.isupper() else _IN_SENTENCES
    return bool(goes_on.match(following))


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of what stands between full stops, without the white space after it."""
    line, begin = text[start:end], 0
    echoed = {match.end("asked") for match in _ECHOED.finditer(line)}
    for match in _END.finditer(line):
        if match.end() < len(line) and match.start() not in echoed:
            yield from _cut(text, start + begin, start + len(line[: match.end()].rstrip()))
            begin = match.end()
    yield from _cut(text, start + begin, start + len(line.rstrip()))


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What goes on too long in several, at a comma if there is one, else between words."""
    while end - start > LONGEST:
        piece = text[start : start + LONGEST]
        comma = piece.rfind(", ", LONGEST // 2)
        last = comma if comma > 0 else piece.rfind(" ")
        length = last + 1 if last > 0 else LONGEST
        yield start, start + length
        start += length
    yield start, end
