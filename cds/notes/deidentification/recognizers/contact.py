"""Ways to reach a person (Safe Harbor D, E, F, N, O)."""

from __future__ import annotations

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.pattern import MarkedPatternRecognizer, compiled

_NUMBER = (
    r"(?:\+?\d{1,3}[\s.-]?)?(?:\(\d{2,4}\)\s?|\d{2,4}[\s.-])\d{3,4}[\s.-]?\d{3,4}"
    r"(?:\s*(?:x|ext\.?|extension)\s*\d{1,6})?(?!\d)"
)
_AT = r"(?:@|[\[({]\s?at\s?[\])}])"
_TOP = r"(?:com|org|net|edu|gov|info|io|co\.uk|example|health)"
_UNIT = r"(?![ ]*(?:mg|mcg|ml|cc|units?|g|kcal|cal|steps|cells|k|ng|pg|iu|mmol|meq|%)(?![\w:]))"


class ContactRecognizer(MarkedPatternRecognizer):
    """Phones, faxes and pagers; e-mail, web and network addresses."""

    patterns = {  # noqa: RUF012
        Category.FAX: compiled(
            rf"\b(?:fax|facsimile)\b\W{{0,4}}(?:no\.?|number|to|at|is|:|#)*\s*(?P<phi>{_NUMBER})"
        ),
        Category.PHONE: compiled(
            r"(?<![\w.-])(?:\+?1[\s.-]?)?(?:\(\d{3}\)\s?|\d{3}[\s./-])\d{3}[\s.-]\d{4}"
            rf"(?:,?\s*(?:x|ext\.?|extension)\s*\d{{1,6}})?(?![\d-]){_UNIT}",
            r"(?<![\w.,-])\d{10},?\s*(?:x|ext\.?|extension)\s*\d{1,6}\b",
            r"(?<![\w.,/-])(?!\d\d\.\d\d\.\d{4}\b)(?=(?:[ .]?\d){9})0\d{1,3}(?:[ .]\d{2,4}){2,4}(?![\w-])",
            rf"(?<![\w./-])\d{{3}}-\d{{4}}(?![\d-])(?:,?\s*(?:x|ext\.?)\s*\d{{1,6}}\b)?{_UNIT}",
            r"(?<![\w.])\+\d{1,3}(?:[\s.-]?\(?\d{1,4}\)?){2,5}\b",
            r"\b(?:phone|tel(?:ephone)?|cell|mobile|call(?:ed)?|pager|beeper|pgr|contact|home|work|ph)\b\W{0,4}"
            rf"(?:no\.?|number|at|on|is|:|#)*\s*(?P<phi>{_NUMBER}|\(?\d{{3}}\)?[\s.-]?\d{{3}}[\s.-]?\d{{4}})",
            r"\b(?:phone|tel(?:ephone)?|cell|mobile|desk|messages?|answering|reach(?:ed|able)?)\b\W{0,3}"
            r"(?:(?:at|on|to|is)\s+)?(?P<phi>\+?\(?\d[\d\s().-]{5,16}\d)(?![\w-])",
            # As a scanner reads it, with letters for digits.
            r"(?<![\w.-])(?=(?:\D{0,3}\d){6})\(?[\doliqsb]{3}(?:\)[ ]?|[ .-])[\doliqsb]{3}[ .-]"
            r"[\doliqsb]{4}(?![\w-])",
            # 0319 364 9187 office, (03) 9364 918 cell
            r"(?<![\w.,/-])(?P<phi>\(?\d[\d() -]{6,16}\d)(?=[ ]?-?[ ]?(?:office|fax|mobile|cell|home|work)\b)",
            r"(?<=\s)p(?P<phi>\d{4,5})\b",
            r"(?<=\d\s)x(?P<phi>\d{2,5})\b|\bx(?P<phi>\d{3,5})\b",
            r"\b(?:pager|beeper|pgr|bleep|bpr|ext|extension|spectralink|vocera|ascom)\b[\s.:#]*"
            r"(?P<phi>\d{1,3}-\d{4}|\d{3,6})\b",
            # As a form or a hesitant hand spaces it.
            r"(?<![\w.-])\d{3,4}[ ]?[-\u2013\u2014][ ]\d{3}[ ][-\u2013\u2014]?[ ]?\d{4}(?![\w-])",
        ),
        Category.EMAIL: compiled(
            # With (at) where it is kept from those who harvest addresses.
            rf"{_AT}(?<=(?<![\w.+%'-])(?P<begins>[\w.+%'-]+)\s?{_AT})\s?[\w-]+(?:\.[\w-]+)*\.\p{{L}}[\w-]+",
            # Dictated.
            r"\b\w++(?: (?:dot|underscore) \w++)* at \w++(?: dot \w++)+",
        ),
        Category.URL: compiled(
            r"\b(?:https?|ftp)://[^\s<>\"')\]]+",
            r"\bwww\.[^\s<>\"')\]]+",
            rf"\.{_TOP}(?<=(?<![\w@.])(?P<begins>[a-z0-9-]+(?:\.[a-z0-9-]+){{0,9}})\.{_TOP})(?:/[^\s<>\"')\]]*)?\b",
            # A file on a server.
            r"\\\\[\w.-]+(?:\\[\w.$-]*\w)+",
            # Somebody's name in the net.
            r"(?<![\w.@/])@(?=[a-z]*[._\d]\w)[a-z][\w.]*\w",
            r"@(?<=\b(?:insta(?:gram)?|ig|handle|twitter|tiktok|facebook|fb|snap(?:chat)?|venmo)\b[^\n@]{0,20}@)\w[\w.]*\w",
        ),
        Category.IP: compiled(
            r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]\d)",
            r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])",
            r"(?<![\w:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:])",
        ),
    }
    score = 0.85
