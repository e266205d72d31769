"""Where a person is treated, works or learns (Safe Harbor B): known by their kind, or by what is said of them."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.recognizers.alternatives import by_letter
from cds.notes.deidentification.recognizers.names import FILLED
from cds.notes.deidentification.recognizers.pattern import TIMEOUT, MarkedPatternRecognizer
from cds.notes.deidentification.recognizers.places import CAP, CITY, named, plain_words
from cds.notes.deidentification.words import listed

_KIND = by_letter(
    r"Hospital|Medical (?:Center|Centre|Group|Associates)|Health (?:Center|System|Care)|Healthcare|Clinic|"
    r"Infirmary|Nursing Home|Rehabilitation(?: Center)?|Rehab(?: Center)?|Hospice|Manor|Surgery Center|"
    r"Cancer (?:Center|Institute)|Heart (?:Center|Institute)|Pharmacy|Family Practice|Family Medicine|Urgent Care|"
    r"Imaging(?: Center)?|Radiology (?:Group|Associates)|Assisted Living|Care Center|Health|School|High School|"
    r"Elementary|University|College|Church|Dialysis(?: Center)?|VA(?: Medical Center)?|VAMC|HOSPITAL|"
    r"Pavilion|Extended Care|Home Care|Home Health|Drugs?(?:store)?|Laborator(?:y|ies)|Preschool|Day ?[Cc]are|Academy|"  # noqa: E501
    r"Institute|Pediatrics|Orthop(?:a?e)dics|Physicians|Surgical Associates|Lutheran|Baptist|Methodist|Presbyterian|"  # noqa: E501
    r"Women['\u2019]s Health|Behavioral Health|Senior Living|Memory Care|Retirement (?:Home|Community|Village)|"
    r"(?:Nursing|Care) (?:&|and) Rehab(?:ilitation)?|Rehab(?:ilitation)? (?:&|and) (?:Nursing|Care)|"
    r"(?:Heart|Pain|Hand|Eye|Ear|Bone|Allergy|Spine) (?:&|and) (?:Vascular|Spine|Shoulder|Ear|Joint|Asthma)|"
    r"Veterans Home|Birth Center|Correctional (?:Center|Facility|Institution)|Jail|Prison|Shelter|Library|"
    r"Ambulance|(?:Fire|Police|Sheriff['\u2019]?s?|Health) Department|School District|Middle School|"
    r"Medical Supply|Industries|Logistics|Construction|Trucking|Motors|Farms|LLC|PLLC|Inc|Corp|Ltd|Bro(?:ther)?s|"
    r"(?:&|and) (?:Sons|Daughters|Co|Associates|Partners)|Mutual|Credit Union|Plumbing|Roofing|Lumber|"
    r"Ambulatory Surgery|Drilling|Mining|Mine|Petroleum|Freight|Brewing|Brewery|Realty|"
    r"Landscaping|Dermatology|Ophthalmology|Urology|Podiatry|Chiropractic|Endoscopy|Daycare|Kindergarten|Synagogue|"
    r"Mosque|YMCA|Casino|Shipyard|Railroad|Airlines|Timber|Bakery|"
    r"Hardware|Salon|Diner|Ranch|Golf Club|Apothecary|Dental (?:Arts|Care|Group)|DDS|"
    r"Deaconess|Adventist|MEDICAL CENTER|CLINIC|PAVILION|CANCER PAVILION|CANCER CENTER|PHARMACY|NURSING HOME"
)
_KIND = (
    r"(?:(?:Memorial|General|Regional|Community|University|Children['\u2019]s|Veterans|County|District)[ ])*"
    rf"(?:{_KIND})"
)
_CARE = (
    r"(?:(?:in|out)?patient|seen|treated|followed|admitted|hospitali[sz]ed|evaluated|worked up|operated on|"
    r"enrolled|born|delivered|dialy[sz]ed|dialysis|chemo(?:therapy)?|performed|obtained|placed|done|drawn|reported|interpreted)"
)
_MOVE = (
    r"(?:transfer(?:red|s)?(?: (?:care|here|in|over|up))?|tx|txf|xfer|referred|sent|accepted|discharged|returned|"
    r"flown|couriered|go|goes|went|care|records?|films|imaging|notes?|report)"
)
_WORK = (
    r"(?:work(?:s|ed|ing)?|employed|retired|volunteer(?:s|ed)?|teaches|teacher|student|intern(?:s|ed)?|"
    r"laid off|fired|hired|drives|foreman|manager|nights)"
)
_WHAT = (
    r"(?:echo|scan|cath|biopsy|surgery|labs?|ct|mri|pet|x-?rays?|visit|appointment|appt|stay|bed|stent|mammogram|"
    r"colonoscopy|shift|job)"
)
_SAID = (
    r"[ ](?i:at|by|from|to|for)(?=[ ](?:(?i:the|an)[ ])?[\p{Lu}])"
    rf"(?:(?<=\b(?i:{_CARE})[ ](?i:at|by))|(?<=\b(?i:{_WHAT})[ ](?i:at))|(?<=\b(?i:{_MOVE})[ ](?i:from|to|at))|"
    rf"(?<=\b(?i:{_WORK})[ ](?i:at|for|by|from)))[ ](?:(?i:the|an)[ ])?"
)
"""Looked for backwards from the preposition before a capital, which there are fewer of."""
_LABEL = (
    r"(?:(?:sending|receiving|referring|outside|treating)[ ])?(?:facility|hospital|employer|practice|institution|"
    r"agency|pharmacy|school|site|clinic|performed at|sent to|transferred (?:from|to)|insurer|payer|supplier|"
    r"vendor|funeral home|church|court|home health|hospice|laboratory|reference lab|ward|"
    r"place of (?:birth|service|death))"
)
_SEVERAL = rf"{CAP}(?:[ ](?:(?:of|the|and|&)[ ])*{CAP}){{0,4}}"
"""Words with capitals, as a name of several words has them."""


class OrganisationRecognizer(MarkedPatternRecognizer):
    """Hospitals, practices, homes, schools, employers. Case matters: names have capitals."""

    patterns = {  # noqa: RUF012
        Category.FACILITY: (
            regex.compile(
                rf"[ ](?={_KIND}\b)(?<=\b(?P<phi>(?:{CAP}[ ]|of[ ]|and[ ]|&[ ]|the[ ]){{0,5}}{CAP})[ ])"
                rf"(?P<kind>{_KIND})\b"
            ),
            regex.compile(rf"\b(?P<phi>(?:Hospital|University|Church|Clinic|Sisters) (?:of|for) (?:the )?{CITY})"),
            regex.compile(rf"{_SAID}(?P<said>{_SEVERAL})"),
            regex.compile(
                r"\b(?:[Aa][Tt]|(?:go|goes|went) to) (?P<said>[A-Z]{3,5})\b(?![ -]?\d{1,2}(?![\d:])| joint)"
            ),
            regex.compile(rf"\b(?i:on file with)[ ](?P<said>{_SEVERAL})"),
            regex.compile(rf"\b(?:[Tt]he )?address of[ ](?P<phi>{_SEVERAL})(?=[ ]is\b)"),
            regex.compile(rf"\b[Tt]he[ ](?P<phi>{_SEVERAL})(?=[ ](?:head )?office (?:is|was|in|at)\b)"),
            regex.compile(
                r"[ ](?:let (?:her|him|them|me) go|laid (?:her|him|them|me) off|invested|went bankrupt|"
                r"was (?:founded|acquired)|is headquartered)\b"
                rf"(?<=\b(?P<phi>{_SEVERAL})[ ]\p{{Ll}}[\p{{Ll}} ]{{2,20}})"
            ),
            regex.compile(r"\b(?i:in|at|to|attends)[ ](?P<phi>(?:PS|IS|JHS)[ ]\d{1,3})\b"),
            regex.compile(rf"(?m)(?:^|[;|\t]|[ ]{{2}})[ ]*(?i:{_LABEL}){FILLED}(?:the[ ])?(?P<said>{_SEVERAL})"),
            # Over a street in an address that was quoted.
            regex.compile(
                rf"(?m)^(?P<mark>[>|*]|\?{{1,3}})[ ]*(?P<said>{_SEVERAL})[ ]*\n"
                r"(?P=mark)[ ]*(?=\d{1,5}[ ]\p{L})"
            ),
            # The head of a letter: a line above one with a street, a post code or a telephone.
            regex.compile(
                rf"(?m)^[ ]*(?P<said>{CAP}(?:[ ](?:(?:of|the|and|&)[ ])*{CAP}){{1,5}})[ ]*\n"
                r"(?=\d{1,5}[ ]\p{Lu}[^\n:]*$|"
                r"[^\n]{0,60}(?:\d{3}[-.) ]{1,2}\d{3}[-.]\d{4}|[ ][A-Z]{2}[ ]+\d{5}\b))"
            ),
        )
    }
    score = 0.75

    def spans(self, category: Category, pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(text, timeout=TIMEOUT):
            start, end = _where_said(match) if "said" in pattern.groupindex else _where_named(match, text)
            if named(text[start:end]):
                yield start, end


def _where_named(match: regex.Match[str], text: str) -> tuple[int, int]:
    start, end = match.start("phi"), match.end("kind" if "kind" in match.re.groupindex else "phi")
    return start + plain_words(text[start:end]), end


def _where_said(match: regex.Match[str]) -> tuple[int, int]:
    """All words with capitals; those up to the first plain one where capitals say nothing, as after initials."""
    start, end = match.span("said")
    if match["said"].split()[0].isupper():
        words = regex.finditer(r"[ ]+([\w'\u2019.-]+)", match["said"])
        plain = (word.start() for word in words if word[1].casefold() in listed("not_names"))
        end = start + next(plain, end - start)
    return start, end
