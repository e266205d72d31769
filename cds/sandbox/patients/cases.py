"""The sample patients: each shows one way in which a film and a note meet, or fail to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from cds.sandbox.patients.films import Film
from cds.sandbox.patients.people import EMERGENCY, INTERNIST, NURSE, Clinician, Person
from cds.sandbox.patients.resources import Coded
from cds.sandbox.patients.sample import Expectation
from cds.sandbox.radiograph import Sex

EMERGENCY_NOTE = ("34111-5", "Emergency department Note")
HISTORY_AND_PHYSICAL = ("34117-2", "History and physical note")
PROGRESS_NOTE = ("11506-3", "Progress note")
NURSE_NOTE = ("34746-8", "Nurse Note")
CONSULT_NOTE = ("11488-4", "Consult note")
DISCHARGE_SUMMARY = ("18842-5", "Discharge summary")
EPISODE_SUMMARY = ("34133-9", "Summarization of episode note")

IN_EMERGENCY = ("EMER", "emergency")
AS_INPATIENT = ("IMP", "inpatient encounter")
IN_CLINIC = ("AMB", "ambulatory")


@dataclass(frozen=True, slots=True)
class Note:
    """One document: ``notes/{text}.txt`` in a given form."""

    text: str
    kind: Coded
    title: str
    author: Clinician
    form: Literal["text", "pdf", "rtf", "html", "ccda"] = "text"
    days_ago: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One sample patient before anything is drawn or dated."""

    person: Person
    story: str
    reason: Coded
    """Why the order is written, in SNOMED CT."""
    films: tuple[Film, ...]
    notes: tuple[Note, ...]
    visit: Coded
    doctor: Clinician
    expected: Mapping[str, Expectation] = field(default_factory=dict)
    problem: Coded | None = None
    fault: int | None = None
    film_days_ago: int = 0

    @property
    def body(self) -> Sex:
        """Whose anatomy the films show."""
        return "M" if self.person.sex == "M" else "F"


PNEUMOTHORAX = Case(
    Person(
        id="pneumothorax",
        given="Tobias",
        family="Wrenfield",
        sex="M",
        born=date(2001, 8, 17),
        mrn="LG-4471902",
        phone="617-555-0148",
        street="48 Cooper's Rise, Apt 3",
        city="Somerville",
        state="MA",
        postcode="02143",
    ),
    "A left pneumothorax, and an emergency note that says so",
    ("29857009", "Chest pain"),
    (Film(101, findings={"pneumothorax": 0.7}, sides={"pneumothorax": "left"}),),
    (Note("pneumothorax-ed", EMERGENCY_NOTE, "ED physician note", EMERGENCY),),
    IN_EMERGENCY,
    EMERGENCY,
    {"pneumothorax": "high"},
)

PNEUMONIA = Case(
    Person(
        id="pneumonia",
        given="Rosalind",
        family="Achterberg",
        sex="F",
        born=date(1958, 2, 9),
        mrn="LG-2093376",
        phone="617-555-0107",
        street="9 Larkspur Terrace",
        city="Watertown",
        state="MA",
        postcode="02472",
    ),
    "Right lower lobe pneumonia in two views; the admission note agrees",
    ("386661006", "Fever"),
    (Film(214, lateral=True), Film(214, findings={"pneumonia": 0.95}, sides={"pneumonia": "right"})),
    (Note("pneumonia-hp", HISTORY_AND_PHYSICAL, "Admission history and physical", INTERNIST),),
    AS_INPATIENT,
    INTERNIST,
    {"pneumonia": "high", "pneumothorax": "low"},
    problem=("44054006", "Diabetes mellitus type 2"),
)

WORRYING_NOTE = Case(
    Person(
        id="worrying-note",
        given="Desmond Roy",
        family="Falkirkson",
        sex="M",
        born=date(1980, 11, 3),
        mrn="LG-7718450",
        phone="508-555-0140",
        street="1310 Tannery Road",
        city="Worcester",
        state="MA",
        postcode="01605",
        email="d.falkirkson@example.org",
    ),
    "A normal film of yesterday that is ordered again, and a note that fears pneumonia",
    ("49727002", "Cough"),
    (Film(323),),
    (Note("worrying-progress", PROGRESS_NOTE, "Urgent care follow-up", EMERGENCY),),
    IN_CLINIC,
    EMERGENCY,
    {"pneumothorax": "low", "effusion": "low", "pneumonia": "low"},
    film_days_ago=1,
)

REASSURING_NOTE = Case(
    Person(
        id="reassuring-note",
        given="Ingrid",
        family="Castellanos-Byrne",
        sex="F",
        born=date(1967, 6, 21),
        mrn="LG-5560218",
        phone="617-555-0123",
        street="22 Quayside Row",
        city="Quincy",
        state="MA",
        postcode="02169",
        email="ingrid@byrneflowers.example.org",
    ),
    "An enlarged heart and pulmonary edema on the film, and a note that expects nothing",
    ("72022006", "Preoperative evaluation"),
    (Film(405, findings={"cardiomegaly": 0.6, "edema": 0.9}),),
    (Note("reassuring-preop", CONSULT_NOTE, "Pre-operative clearance", INTERNIST),),
    IN_CLINIC,
    INTERNIST,
    {"edema": "high", "pneumothorax": "low"},
    problem=("40930008", "Hypothyroidism"),
)

EFFUSION = Case(
    Person(
        id="effusion-j2k",
        given="Harold",
        family="Nwachukwu-Smythe",
        sex="M",
        born=date(1952, 1, 30),
        mrn="LG-1184063",
        phone="781-555-0127",
        street="5 Ferry Landing Way",
        city="Hull",
        state="MA",
        postcode="02045",
    ),
    "A right effusion in a large JPEG 2000 image that is stored inverted (MONOCHROME1)",
    ("267036007", "Dyspnea"),
    (
        Film(
            505,
            findings={"effusion": 0.65},
            sides={"effusion": "right"},
            size=(2048, 2048),
            inverted=True,
            compressed=True,
        ),
    ),
    (
        Note("effusion-nursing", NURSE_NOTE, "Nursing shift note", NURSE),
        Note("effusion-oncology", PROGRESS_NOTE, "Oncology clinic note", INTERNIST, days_ago=8),
    ),
    AS_INPATIENT,
    INTERNIST,
    {"effusion": "high"},
    problem=("254637007", "Non-small cell lung cancer"),
)

NO_IMAGING = Case(
    Person(
        id="no-imaging",
        given="Priyanka",
        family="Thistlewood",
        sex="F",
        born=date(1995, 4, 12),
        mrn="LG-9902741",
        phone="617-555-0160",
        street="77B Harrow Street",
        city="Cambridge",
        state="MA",
        postcode="02139",
        email="pri.thistlewood@example.org",
    ),
    "No imaging at all: only the note can be read",
    ("68154008", "Chronic cough"),
    (),
    (Note("no-imaging-clinic", PROGRESS_NOTE, "Office visit", INTERNIST),),
    IN_CLINIC,
    INTERNIST,
)

DOCUMENTS = Case(
    Person(
        id="documents",
        given="Leopold",
        family="Vandermeer-Quist",
        sex="M",
        born=date(1944, 10, 5),
        mrn="LG-3350097",
        phone="617-555-0114",
        street="300 Alder Court, Unit 12",
        city="Brookline",
        state="MA",
        postcode="02446",
    ),
    "Consolidation of the left lung; the notes are a PDF, an RTF, an HTML page and a C-CDA",
    ("233604007", "Pneumonia"),
    (Film(606, view="AP", findings={"consolidation": 0.95}, sides={"consolidation": "left"}),),
    (
        Note("documents-progress", PROGRESS_NOTE, "Transitional care visit", NURSE, "rtf", days_ago=3),
        Note("documents-ccd", EPISODE_SUMMARY, "Continuity of Care Document", INTERNIST, "ccda", days_ago=4),
        Note("documents-discharge", DISCHARGE_SUMMARY, "Discharge summary", INTERNIST, "pdf", days_ago=5),
        Note("documents-ed", EMERGENCY_NOTE, "ED note", EMERGENCY, "html", days_ago=12),
    ),
    IN_CLINIC,
    INTERNIST,
    {"consolidation": "high"},
    problem=("49436004", "Atrial fibrillation"),
)

PACS_DOWN = Case(
    Person(
        id="pacs-down",
        given="Guadalupe",
        family="Ferncastle",
        sex="F",
        born=date(1973, 12, 12),
        mrn="LG-6627154",
        phone="617-555-0137",
        street="614 Almond Street",
        city="Lynn",
        state="MA",
        postcode="01902",
    ),
    "The PACS answers 503: the note has to do alone",
    ("84114007", "Heart failure"),
    (Film(708, view="AP", findings={"edema": 0.8}),),
    (Note("pacs-down-cardiology", CONSULT_NOTE, "Cardiology consult", INTERNIST),),
    AS_INPATIENT,
    INTERNIST,
    {"edema": "high"},
    problem=("84114007", "Heart failure"),
    fault=503,
)

NORMAL = Case(
    Person(
        id="normal",
        given="Amina",
        family="Brightwater-Lund",
        sex="F",
        born=date(1990, 3, 26),
        mrn="LG-8045519",
        phone="617-555-0159",
        street="18 Chandler Green",
        city="Medford",
        state="MA",
        postcode="02155",
        email="amina.lund@example.org",
    ),
    "A normal film of last month and a note without a worry: nothing to say",
    ("171126009", "Tuberculosis screening"),
    (Film(812),),
    (Note("normal-screening", PROGRESS_NOTE, "Pre-placement examination", NURSE),),
    IN_CLINIC,
    INTERNIST,
    {"pneumothorax": "low", "effusion": "low", "pneumonia": "low", "edema": "low"},
    film_days_ago=30,
)

CASES = (
    PNEUMOTHORAX,
    PNEUMONIA,
    WORRYING_NOTE,
    REASSURING_NOTE,
    EFFUSION,
    NO_IMAGING,
    DOCUMENTS,
    PACS_DOWN,
    NORMAL,
)
