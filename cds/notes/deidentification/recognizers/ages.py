"""Ages over 89 (Safe Harbor C); younger ages stay, they matter to the reading."""

from __future__ import annotations

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.pattern import MarkedPatternRecognizer, compiled

_AGE = r"(?P<phi>9\d|1[01]\d)"
_WORDS = (
    r"(?P<phi>(?:ninety|one hundred)(?:[\s-]*(?:and[\s-]+)?(?:one|two|three|four|five|six|seven|eight|nine|ten))?)"
)
_OLD = r"(?:[\s-]*(?:years?|yrs?|y)\.?[\s/.-]*(?:o\b|old\b|of age\b)|\s?y\.?o\b)"
_NO_MEASURE = r"(?!Ox|Rate|Sats?|Saturation|Pressure|Score|Index)"
"""Words with a capital that end what is measured: "Oxygen Saturation (95)"."""
_NAMED = rf"(?-i:\p{{Lu}}[\p{{L}}'\u2019-]+ {_NO_MEASURE}\p{{Lu}}\p{{Ll}}[\p{{L}}'\u2019-]+)"
_MEASURED = r"(?:sats?|spo2|o2|hr|pulse|rate|map|bp|sugar|glucose|stable|running|is|was|remains)"
"""Before "at 92" these say that it is no age."""


class AgeRecognizer(MarkedPatternRecognizer):
    """``92-year-old``, ``aged 94``, ``in her nineties``; not ``99 F`` or ``for 95 years``."""

    patterns = {  # noqa: RUF012
        Category.AGE: compiled(
            rf"\b(?:{_AGE}|{_WORDS}){_OLD}",
            rf"\bage[ds]?(?:\s+is|\s+of)?[\s:=]*{_AGE}\b(?!\s*%)",
            rf"\b(?:died|passed(?: away)?|deceased|expired|lived|living|alive|dead)(?: (?:at|to))?(?: the)?(?: age)?(?: of)?"  # noqa: E501
            rf"\s+{_AGE}\b(?!\s*%)",
            rf"(?<!\b(?:for|over|past|x|about) ){_AGE}\s*(?:y/o|yrs?|years)\b(?=\s*[.,;)])",
            rf"\bturn(?:s|ed|ing)(?: the)?(?: age)?(?: of)?\s+{_AGE}\b(?!\s*(?:%|degrees|over|onto))",
            r"\bin (?:his|her|their) (?P<phi>(?:mid|late|early)?[\s-]*(?:nineties|90'?s|hundreds))",
            rf"(?:^|\b(?:an?|this|is)\s+){_AGE}\s?(?:f|m|female|male|woman|man|lady|gentleman)\b"
            r"(?=\s*(?:with|w/|who|presents?|presenting|here|c/o|admitted|s/p|brought|from|,))",
            # 93M, 93 M and 91F: not a temperature
            rf"(?=[91])(?<![\w.-])(?<!\b(?:t|tm|tmax|temp|temperature|fever|to|of|at|was|is)\W{{0,3}}){_AGE}(?-i:\s?M|F|yo|yF)"
            r"(?![\w/^.])",
            rf"\b(?:s?he|patient|pt|mother|father|mom|dad|who) (?:is|was) (?:now )?{_WORDS}\b",
            rf"(?<!\b{_MEASURED} )\bat {_AGE},?\s+(?:s?he|they|mom|dad|mother|father|mr|mrs|ms)\b",
            # Mrs. Crow, 94, and Virgil Crow, 94, from
            rf"\b(?:mr|mrs|ms|miss|mx)\.?\s+[\p{{L}}' .-]{{2,40}},\s{_AGE},",
            rf"(?-i:\p{{Lu}}\p{{Ll}}+),\s{_AGE},"
            r"(?=\s(?:of|from|retired|widow(?:ed|er)?|lives|who|a (?:retired|former))\b)",
            # Eudora Crow, 96, widow; Eudora Crow (96); Eudora Crow, 96: thin skin
            rf"{_NAMED}(?:,\s{_AGE}[,:](?=\s\p{{L}})|\s\({_AGE}\))",
            rf"\b(?:pt|patient)\b:? (?:is )?{_NAMED},? {_AGE}\b(?![/%.])",
            # 97y; d. 93; 1/29/1931 (95); a cell of a table
            rf"(?<![\w.-]){_AGE}\s?y(?:[./]?[mf]\b|\b(?!/))",
            rf"\bd\. {_AGE}(?=[,;])",
            rf"/19[0-3]\d[\s(]+{_AGE}(?![\w/.%])",
            rf"[|]\s*{_AGE}\s*[|]?\s*[mf]\s*[|]",
            r"\b(?P<phi>centenarian|nonagenarian)\b",
        )
    }
