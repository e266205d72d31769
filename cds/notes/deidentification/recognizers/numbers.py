"""Numbers that single a person out (Safe Harbor G to M and R), mostly known by the words before them."""

from __future__ import annotations

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.pattern import MarkedPatternRecognizer, compiled

_LINK = r"(?:\s*(?:numbers?|nos?\b\.?|nbr|num\b|id\b|is|was|#|:|=|-|\())*\s*"
_VALUE = r"(?P<phi>(?=[a-z-]{0,6}\d)[a-z0-9](?:[a-z0-9]|[-/.](?=[a-z0-9])){2,24})"


def _after(words: str) -> str:
    return rf"\b(?:{words})\b{_LINK}{_VALUE}"


class NumberRecognizer(MarkedPatternRecognizer):
    """Record, account and plan numbers, SSN, devices, licences and vehicles."""

    patterns = {  # noqa: RUF012
        Category.SSN: compiled(
            r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])",
            r"\b(?:ssn?|social security)(?: (?:number|no\.?|#))?"
            r"(?:\s*(?:is|ends? (?:in|with)|last (?:four|4)|:|#))*\s*"
            r"(?P<phi>[\dx*]{0,3}[\s-]?[\dx*]{0,2}[\s-]?\d{4})\b",
        ),
        Category.HEALTH_PLAN: compiled(
            _after(
                r"member|policy|subscriber|group (?:no|number|id)|medicare|medicaid|insurance(?: id| no| number)?|"
                r"(?:health )?plan (?:no|number|id)|hicn|mbi|beneficiary|payer id"
            ),
            r"\b[1-9][ac-hj-km-np-rt-y][ac-hj-km-np-rt-y0-9]\d-?[ac-hj-km-np-rt-y][ac-hj-km-np-rt-y0-9]\d-?"
            r"[ac-hj-km-np-rt-y]{2}\d{2}\b",
        ),
        Category.DEVICE: compiled(
            _after(r"serial(?: no| number)?|s/n|sn|udi|lot(?: no| number)?|device id(?:entifier)?|implant id"),
        ),
        Category.LICENCE: compiled(
            _after(r"dea|npi|(?:medical |driver'?s? )?licen[cs]e|lic|upin|state lic"),
            r"\b[abfgmpr][a-z9]\d{7}\b",
        ),
        Category.VEHICLE: compiled(
            _after(r"vin|(?:licen[cs]e )?plates?|registration plate|tag no"),
            r"\b(?=[a-hj-npr-z0-9]*[a-hj-npr-z])(?=[a-hj-npr-z]*\d)[a-hj-npr-z0-9]{17}\b",
        ),
        Category.RECORD: compiled(
            _after(
                r"mrn?|m\.r\.n\.?|medical record|med rec|record|chart|account|acct|encounter|visit|csn|fin|"
                r"accession|acc|case|(?:patient|pt|pat|hospital|unit|order|specimen|study|claim|referral|nhs|"
                r"employee|badge|student|passport)(?: (?:id|no|number|#))|patient identifier|id|invoice"
            ),
            # Seven digits and more in a row, UUIDs and OIDs are never a measurement.
            r"(?<![\d.,/:-])\d{7,}(?![\d.,/]\d)",
            r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
            r"\b[0-2](?:\.\d+){5,}\b",
            r"(?<!\w)#\s?(?P<phi>\d{5,})\b",
        ),
    }
    score = 0.75
