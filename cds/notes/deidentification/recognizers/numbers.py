"""Numbers that single a person out (Safe Harbor G to M and R), mostly known by the words before them."""

from __future__ import annotations

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.alternatives import by_letter
from cds.notes.deidentification.recognizers.pattern import MarkedPatternRecognizer, compiled

_LINK = r"(?:\s*(?:numbers?|nos?\b\.?|nbr|num\b|id\b|is|was|#|:|=|-|\.|\||\())*\s*"
_VALUE = r"(?P<phi>(?=[a-z-]{0,6}\d)[a-z0-9](?:[a-z0-9]|[-/.](?=[a-z0-9])){2,24})"


_CODE = (
    r"(?<![\w.,/-])(?=[a-z:-]*\d)(?=[\d:-]*[a-z])(?=(?:[a-z:-]*\d){4})"
    r"(?!\d[\d,]*[a-z]{1,5}(?![\w:-]))(?![ctls]\d{1,2}(?:-[ctls]?\d{1,2})+(?![\w-]))(?!g\d+p\d{1,4}\b|[a-hjlpqrv]\d{4}\b|1:\d+k\b|2019-ncov|(?:19|20)\d\d-\d\d-\d\dt|\d+-(?:[a-z]+-?)+\b)"
    r"[a-z\d]+(?:[-:][a-z\d]+)*(?![\w-])"
)
"""Letters and four digits or more run together: no dose, no vertebrae, no pregnancies ("G3P1011"), no code of a
procedure ("L5301") or dilution, and hardly ever a measurement."""


_PLATE = r"(?=[A-Z]{0,4}[ -]?[A-Z]{0,3}\d)[A-Z\d]{1,4}[ -]?[A-Z\d]{2,5}"
_LOGIN = r"(?P<phi>(?!covid)\p{L}[\p{L}.-]{3,}_?\d{1,6})(?!\w)"
_DIGIT_SPOKEN = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"


_GROUPS = r"(?P<phi>(?-i:[A-Z]{1,2})[ ]\d[\d-]*(?:[ ]\d{2,4}){0,3})(?![\w/%])"
"""A number whose letters stand apart: "OR 7719402", "C 28 553 910"."""


def _after(words: str) -> str:
    return rf"\b(?:{by_letter(words)})\b{_LINK}{_VALUE}"


class NumberRecognizer(MarkedPatternRecognizer):
    """Record, account and plan numbers, SSN, devices, licences and vehicles."""

    patterns = {  # noqa: RUF012
        Category.SSN: compiled(
            r"(?<![\d-])[\dx*]{3}([ -])[\dx*]{2}\1\d{4}(?![\d-])",
            r"\b(?:ssn?|social security|soc sec)(?:\s+(?:number|no\.?|#))?"
            r"(?:[\s|]*(?:is|end(?:s|ing)(?: (?:in|with))?|last (?:four|4)|:|#))*\s*"
            r"(?P<phi>[\dx*]{0,3}[\s-]?[\dx*]{0,2}[\s-]?\d{4})\b",
            r"\blast (?:four|4)(?:\s+(?:digits|of ssn|ssn))?[\s:#]*(?P<phi>\d{4})\b",
        ),
        Category.HEALTH_PLAN: compiled(
            _after(
                r"member|policy|subscriber|group (?:no|number|id)|medicare|medicaid|insurance(?: id| no| number)?|"
                r"(?:health )?plan (?:no|number|id)|hicn|mbi|beneficiary|payer id"
            ),
            rf"\b(?:pol(?:icy)?|medicaid|medicare|member(?: id)?|subscriber(?: id)?|insurance id)\b[,\s]*{_LINK}"
            rf"(?!id\b)(?=(?:\D{{0,3}}\d){{5}}){_GROUPS}",
            r"\b[1-9][ac-hj-km-np-rt-y][ac-hj-km-np-rt-y0-9]\d-?[ac-hj-km-np-rt-y][ac-hj-km-np-rt-y0-9]\d-?"
            r"[ac-hj-km-np-rt-y]{2}\d{2}\b",
        ),
        Category.DEVICE: compiled(
            _after(
                r"serial(?: no| number)?|s/n|sn|udi|lot(?: no| number)?|device id(?:entifier)?|implant id|ref|model"  # noqa: E501
            ),
            r"\(01\)\s?\d{14}(?:\(\d\d\)\w+)*",
        ),
        Category.LICENCE: compiled(
            rf"\b(?:dl|licen[cs]e|lic|hcpc|gmc|nmc|ahpra|cert)\b{_LINK}(?=(?:\D{{0,3}}\d){{5}}){_GROUPS}",
            _after(r"dl|dea|npi|(?:medical |driver'?s? )?licen[cs]e|lic|upin|state lic|clia"),
            r"\b[abfgmpr][a-z9]\d{7}\b",
        ),
        Category.VEHICLE: compiled(
            r"\b(?:plates?|tag)\b(?:\s*(?:numbers?|no\b\.?|#|:|is))*\s*"
            rf"(?P<phi>(?-i:(?:[A-Z]{{2}}[ ])?{_PLATE}))\b",
            # Before the vehicle's own number.
            rf"(?<![\w-])(?P<phi>(?-i:{_PLATE}))(?=[,;/]?[ ](?:and[ ])?vin\b|,[ ][a-hj-npr-z0-9]{{17}}\b)",
            _after(r"vin|(?:licen[cs]e )?plates?|registration plate|tag no|rego|tail(?: no| number)?|n-number"),
            r"\b(?=[a-hj-npr-z]{0,16}+\d)(?=\d{0,16}+[a-hj-npr-z])[a-hj-npr-z0-9]{17}\b",
        ),
        Category.RECORD: compiled(
            _after(
                r"mrn?|m\.r\.n\.?|medical record|med rec|record|chart|account|acct|encounter|visit|csn|fin|"
                r"accession|acc|case|(?:patient|pt|pat|hospital|unit|order|specimen|study|claim|referral|nhs|"
                r"employee|badge|student|passport|index|report|lab|room|subject|participant|donor|sample|inmate|booking|"
                r"certificate|permit|visa|contract|registration|reg|event|episode|call|tracking|kit|file|ref|reference|"
                r"grp|group|slide|block|bag|tube)(?: (?:id|no|number|#))|patient identifier|id|invoice|"
                r"incident|docket|subpoena|warrant|requisition|barcode|wrist ?band|arm ?band|bracelet|"
                r"auth(?:orization)?|(?:activation|verification|access) code|"
                r"grievance|job|batch|document|unit no|ticket|confirmation|iban|csn|har|hosp"
            ),
            r"\b(?:mrn?|record|chart|unit|hosp(?:ital)?|nhs|chi|nhi|acct|account)\b"
            r"(?:\s*(?:numbers?|nos?\b\.?|#|:|=))*\s*(?=(?: ?\d){5})(?P<phi>\d{1,4}(?: \d{1,4}){1,4})(?![\w./%])",
            rf"\b(?:claim|c-?file|chart|case|file|record|hosp(?:ital)?(?: n[o0])?|unit n[o0]|n[o0])\b{_LINK}"
            rf"(?=(?:\D{{0,3}}\d){{5}}){_GROUPS}",
            r"\b(?:chart|unit|case|file|acct|record)[ ]n[o0]\.?[ :]*(?P<phi>\d{3,}(?:-[a-z\d]+)*)(?![\w/%])",
            r"\b(?:(?:lock ?box|door|gate|entry|access|alarm|key ?pad|pin)(?: code)?|pass ?code|shield)\b"
            r"\s*(?:no\.?|#|is|:)?\s*(?P<phi>\d{3,8})\b",
            r"\bm\.?d\.?[ ]+(?P<phi>\d{2,}-\d{3,})\b",
            rf"\b{_DIGIT_SPOKEN}(?:,?[ -]{_DIGIT_SPOKEN}){{2}}(?:(?:,?[ -]{_DIGIT_SPOKEN}){{2,}}|"
            rf",?[ ]\d{{3}}[ ,-]{{1,2}}(?:\d{{4}}|{_DIGIT_SPOKEN}(?:[ -]{_DIGIT_SPOKEN}){{3,}}))\b",
            # Seven digits and more in a row, UUIDs and OIDs are never a measurement.
            r"(?<![\d.,/:-])\d{7,}(?![\d.,/]\d)",
            r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
            r"\b[0-2](?:\.\d+){5,}\b",
            _CODE,
            r"\b[a-z]{1,3}/\d{4,}\b",
            r"(?<![\w.,/-])(?=(?:-?\d){5})\d{1,4}(?:-\d{1,4}){2,}(?![\w-])",
            r"\.(?:jpe?g|png|dcm|tiff?|heic|mov|mp4|pdf|docx?)\b(?<=(?<![\w-])(?=[a-z_-]*\d)(?P<begins>[\w-]+)\.\w+)",
            r"\bmr\W{0,3}(?P<phi>\d{5,})\b",
            r"(?<!\w)#\s?(?P<phi>\d{4,})\b",
            # A name to log in by.
            r"(?<![\w@./-])(?!covid|table|image|figure|page)\p{L}[\p{L}-]{2,}(?:\.\p{L}+)?_\d{1,6}(?!\w)",
            r"\b(?:user(?:[ -]?name)?|login|logs? in as|screen ?name|gamer ?tag|handle|follows|posts? as)\b[\s:]+"
            rf"{_LOGIN}",
            rf"(?<![\w@./-]){_LOGIN} online\b",
            r"\bpass(?:word|phrase)[ ]?:[ ]*(?P<phi>\S[^\n;,|]{2,40})",
            r"\b(?:ofc|officer|deputy|dep|det|sgt|trooper|badge|shield)\b[^\n#\d]{0,30}#\s?(?P<phi>\d{2,6})\b",
            # Of a court.
            r"(?<![\w-])(?:19|20)?\d\d-[a-z]{1,4}-\d{3,}(?![\w-])",
        ),
    }
    score = 0.75
