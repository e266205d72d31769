"""Each kind of identifier goes; what only looks like one stays."""

import contextlib
import logging
import re
import time

import pytest

from cds.errors import NoteError
from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers

NOBODY = KnownIdentifiers()
DEIDENTIFIER = Deidentifier(b"k" * 32)


def found(text: str) -> list[tuple[Category, str]]:
    """What is taken out of ``text``, with its category."""
    return [(one.category, text[one.start : one.end]) for one in DEIDENTIFIER.deidentify(text, NOBODY).replaced]


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("Seen by Dr. Okafor today.", "Okafor"),
        ("Mr. José Núñez-Ortiz is well.", "José Núñez-Ortiz"),
        ("Referred by Dr. Parkinson for tremor.", "Parkinson"),
        ("Mrs. O'Malley, 54, has a cough.", "O'Malley"),
        ("Patient: HALVORSEN, INGRID M", "HALVORSEN, INGRID M"),
        ("Patient name: Ingrid Halvorsen", "Ingrid Halvorsen"),
        ("Came with his wife Thandiwe.", "Thandiwe"),
        ("accompanied by her daughter Ana", "Ana"),
        ("Electronically signed by Femi Adeyemi, MD", "Femi Adeyemi"),
        ("Kwame Asante, RN at the bedside", "Kwame Asante"),
        ("Discussed with Priyanka Rao.", "Priyanka Rao"),
        ("PCP: Lars van der Berg", "Lars van der Berg"),
        ("Michael was comfortable overnight.", "Michael"),
        ("Tobias Krane is a 44-year-old man.", "Tobias Krane"),
        ("cc: Halvorsen", "Halvorsen"),
        ("Claimant ........ Ingrid Halvorsen", "Ingrid Halvorsen"),
        ("Examiner\tHALVORSEN, INGRID", "HALVORSEN, INGRID"),
        ("Yours sincerely,\n\nRhodri Meredith\n", "Rhodri Meredith"),
        ("Her daughter-in-law Renée Achterberg called.", "Renée Achterberg"),
        ("Parks disagreed.", "Parks"),
        ("It is viral, and Rivers will see her.", "Rivers"),
        ("May thinks it is gout.", "May"),
        ("The nurse on duty, Scales, noted a fall.", "Scales"),
        ("Coach Pruitt sent him.", "Pruitt"),
        ("Off to see Λάμπρου in May.", "Λάμπρου"),
        ("brought in by M. Rourke of the ambulance", "M. Rourke"),
        ("with her parents, Nils and Zahra", "Zahra"),
        ('a tall man ("Toby") in pain', "Toby"),
        ("signed A. Montalvo", "A. Montalvo"),
        ("STABLE OVERNIGHT. INGRID HALVORSEN, MD NOTIFIED.", "INGRID HALVORSEN"),
        ("SIGNED T. KOSIR. LABS TO FOLLOW.", "T. KOSIR"),
        ("signed b. herring", "b. herring"),
        ("Family (Gail + Norm) updated.", "Norm"),
        ("Nowak surgery: will staple.", "Nowak"),
        ("recheck first, mom aware -tj", "tj"),
        ("taken by TJ", "TJ"),
        ("Caulder/AZ 3/14", "AZ"),
        ("Patient's name: Halvorsen, Ingrid Mae P", "Halvorsen, Ingrid Mae P"),
        ("that is h-o-l-l-o-w-a-y", "h-o-l-l-o-w-a-y"),
        ("told Capt. Ferrante", "Ferrante"),
        ("3/1 0900 - walked. LW\n3/2 0700 - fever. Told MD. LW\n", "LW"),
        ("gv/G. Villalobos MD", "gv"),
        ("Left word for the son. - TRK Wound is dry.", "TRK"),
        ("Wound dry. Return in May. TRK", "TRK"),
        ("corbin from the blood bank called", "corbin"),
        ("The twins, Nils and Zahra, are well.", "Zahra"),
        ("Faxed, confirmed by Rourke", "Rourke"),
    ],
)
def test_names_by_their_context(text: str, phi: str) -> None:
    assert (Category.NAME, phi) in found(text)


def test_a_name_has_the_same_surrogate_with_the_ending_of_a_possessive() -> None:
    text = DEIDENTIFIER.deidentify("Dr. Okafor called; Dr. Okafor's note is here.", NOBODY).text
    (name,) = set(re.findall(r"\[NAME-\w+\]", text))
    assert text == f"Dr. {name} called; Dr. {name}'s note is here."


def test_a_name_once_known_is_found_wherever_it_stands() -> None:
    text = "Signed by Femi Adeyemi, MD. Later Adeyemi called; Adeyemi's plan stands."
    assert "Adeyemi" not in DEIDENTIFIER.deidentify(text, NOBODY).text


@pytest.mark.parametrize(
    ("text", "category", "phi"),
    [
        ("MRN: 00482913", Category.RECORD, "00482913"),
        ("MRN# A-448-812 noted", Category.RECORD, "A-448-812"),
        ("Account number 77-20418", Category.RECORD, "77-20418"),
        ("Encounter ID: E20418", Category.RECORD, "E20418"),
        ("Accession no. CXR-24-00991", Category.RECORD, "CXR-24-00991"),
        ("barcode 9981726354", Category.RECORD, "9981726354"),
        ("SSN 078-05-1120", Category.SSN, "078-05-1120"),
        ("(617) 555-0162\n\nCC: cough", Category.PHONE, "(617) 555-0162"),
        ("last four SSN: 1120", Category.SSN, "1120"),
        ("Medicare 1EG4-TE5-MK73", Category.HEALTH_PLAN, "1EG4-TE5-MK73"),
        ("Member ID: XQJ882301", Category.HEALTH_PLAN, "XQJ882301"),
        ("pacemaker serial no. PJN209331S", Category.DEVICE, "PJN209331S"),
        ("DEA AB1234563", Category.LICENCE, "AB1234563"),
        ("NPI: 1234567893", Category.LICENCE, "1234567893"),
        ("driver's license D1234567", Category.LICENCE, "D1234567"),
        ("VIN 1HGCM82633A004352", Category.VEHICLE, "1HGCM82633A004352"),
        ("license plate 7ABC123", Category.VEHICLE, "7ABC123"),
        ("call (617) 555-0187", Category.PHONE, "(617) 555-0187"),
        ("call 617.555.0187 x22", Category.PHONE, "617.555.0187 x22"),
        ("reach at +44 20 7946 0958", Category.PHONE, "+44 20 7946 0958"),
        ("14 Harbour Brae, Anstruther, KY10 3AH", Category.ADDRESS, "14 Harbour Brae, Anstruther, KY10 3AH"),
        ("chart no 55 10 22", Category.RECORD, "55 10 22"),
        ("pager 30817", Category.PHONE, "30817"),
        ("Fax: 617-555-0199", Category.FAX, "617-555-0199"),
        ("write to j.doe@mail.example.org", Category.EMAIL, "j.doe@mail.example.org"),
        ("see https://portal.example.org/p?id=4 today", Category.URL, "https://portal.example.org/p?id=4"),
        ("from 10.12.0.7 at night", Category.IP, "10.12.0.7"),
        ("lives at 14 Alder Street, Medford, MA 02155", Category.ADDRESS, "14 Alder Street, Medford"),
        ("lives at 14 Alder Street, Medford, MA 02155", Category.ADDRESS, "02155"),
        ("Address 411 1/2 Larkspur, upstairs", Category.ADDRESS, "411 1/2 Larkspur"),
        ("the office at 2200 Harmon Pike", Category.ADDRESS, "2200 Harmon Pike"),
        ("P.O. Box 1182", Category.ADDRESS, "P.O. Box 1182"),
        ("ZIP 02155-1010", Category.ADDRESS, "02155-1010"),
        ("She lives in Springfield alone", Category.ADDRESS, "Springfield"),
        ("Transferred from Saint Brigid Medical Center", Category.FACILITY, "Saint Brigid Medical Center"),
        ("seen at Harborview Clinic", Category.FACILITY, "Harborview Clinic"),
        ("DOB: 3/4/61", Category.BIRTH_DATE, "3/4/61"),
        ("born on March 4, 1961", Category.BIRTH_DATE, "March 4, 1961"),
        ("a 92-year-old woman", Category.AGE, "92"),
        ("94 yo M with cough", Category.AGE, "94"),
        ("aged 101", Category.AGE, "101"),
        ("ninety-one year old", Category.AGE, "ninety-one"),
        ("in her nineties", Category.AGE, "nineties"),
        ("She turned 94 in the summer", Category.AGE, "94"),
        ("At 94 he still gardens", Category.AGE, "94"),
        ("Virgil Crow, 94, from the valley", Category.AGE, "94"),
        ("call 555-0187 x04", Category.PHONE, "555-0187 x04"),
        ("bleep 2274", Category.PHONE, "2274"),
        ("parents via portal (asparks_22)", Category.RECORD, "asparks_22"),
        ("post to 274 Grafton Blvd., Griffin 41238", Category.ADDRESS, "274 Grafton Blvd., Griffin 41238"),
        ("flown in from Framingham after dark", Category.ADDRESS, "Framingham"),
        ("lives with Poul in Loves Park", Category.ADDRESS, "Loves Park"),
        ("refills to the shop on Orchard Turnpike", Category.ADDRESS, "Orchard Turnpike"),
        ("record number zero four four one nine two", Category.RECORD, "zero four four one nine two"),
        ("docket no. NA-11842", Category.RECORD, "NA-11842"),
        ("wristband ZK77140", Category.RECORD, "ZK77140"),
        ("LAST 4 6120", Category.SSN, "6120"),
        ("plate BQR-K17", Category.VEHICLE, "BQR-K17"),
        ("ask at (74O) 555-0l62", Category.PHONE, "(74O) 555-0l62"),
        ("cell 352/555-0109", Category.PHONE, "352/555-0109"),
        ("a crash on Hwy 20 at dawn", Category.ADDRESS, "Hwy 20"),
        ("sent by Harmon Pain & Spine", Category.FACILITY, "Harmon Pain & Spine"),
        ("drives for Ochoa Logistics", Category.FACILITY, "Ochoa Logistics"),
        ("with Begay Drilling", Category.FACILITY, "Begay Drilling"),
        ("to stay in PS 22.", Category.FACILITY, "PS 22"),
        ("TOC at UCH 14:41", Category.FACILITY, "UCH"),
        ("Licence: OR 7719402", Category.LICENCE, "OR 7719402"),
        ("CLAIM C 28 553 910", Category.RECORD, "C 28 553 910"),
        ("CHART N0. 5518-R", Category.RECORD, "5518-R"),
        ("Eudora Pilkington, 96, widow", Category.AGE, "96"),
        ("14 Alder Street, Medford, MA", Category.ADDRESS, "14 Alder Street, Medford"),
        ("well until mid September, then worse", Category.DATE, "mid September"),
        ("since autumn of 2024", Category.DATE, "autumn of 2024"),
        ("flight is tomorrow, the 8th, ok to go", Category.DATE, "8th"),
        ("MRI slot Tues 14th", Category.DATE, "Tues 14th"),
        ("boosters (Feb, May)", Category.DATE, "Feb"),
        ("sober since New Year's Day 2025", Category.DATE, "New Year's Day 2025"),
        ("bed 2: 93M, edentulous", Category.AGE, "93"),
        ("he is ninety three and alone", Category.AGE, "ninety three"),
        ("cover spectralink 4-8812", Category.PHONE, "4-8812"),
        ("call 702 - 555 - 0108", Category.PHONE, "702 - 555 - 0108"),
        ("text nine five six, 555, 0148", Category.RECORD, "nine five six, 555, 0148"),
        ("tel:+1-404-555-0177", Category.PHONE, "+1-404-555-0177"),
        ("mailto:k.tutu58@inbox.example", Category.EMAIL, "k.tutu58@inbox.example"),
        ("records to neil (at) sails.example", Category.EMAIL, "neil (at) sails.example"),
        ("email ada dot v at meadow dot example", Category.EMAIL, "ada dot v at meadow dot example"),
        ("log in at mychart.cedarridge.example", Category.URL, "mychart.cedarridge.example"),
        ("a video of it (@lila.runs)", Category.URL, "@lila.runs"),
        ("fixed wing, tail N431NM", Category.VEHICLE, "N431NM"),
        ("Mother will call. -lg, ma", Category.NAME, "lg"),
        ("Eudora Pilkington (96) was dozing", Category.AGE, "96"),
        ("Eudora Pilkington, 96: thin skin", Category.AGE, "96"),
        ("Pt Virgil Crow 94 fell", Category.AGE, "94"),
        ("sister 97y, alone", Category.AGE, "97"),
        ("aunt d. 93, stroke", Category.AGE, "93"),
        ("1/31/1929 (95)", Category.AGE, "95"),
        ("| 93 F | cough |", Category.AGE, "93"),
        ("(03) 9364 918 office", Category.PHONE, "(03) 9364 918"),
        (r"scan at \\ward7\scans\crow_v.tif", Category.URL, r"\\ward7\scans\crow_v.tif"),
        ("He follows vcrow-lund64 online", Category.RECORD, "vcrow-lund64"),
        ("username: vcrow64", Category.RECORD, "vcrow64"),
        ("password: silent heron", Category.RECORD, "silent heron"),
        ("Ofc. Crow #417 on post", Category.RECORD, "417"),
        ("case 24-CV-0311 is closed", Category.RECORD, "24-CV-0311"),
        ("Acct 7 204 118 3", Category.RECORD, "7 204 118 3"),
        ("HCPC PH 204477", Category.LICENCE, "PH 204477"),
        ("pol WC 8118820-03", Category.HEALTH_PLAN, "WC 8118820-03"),
        ("adm 8.30, better", Category.DATE, "8.30"),
        ("scanned on 4.ix.24", Category.DATE, "4.ix.24"),
        ("scanned on 4 ix 24", Category.DATE, "4 ix 24"),
        ("well since June of last year", Category.DATE, "June of last year"),
        ("given Feb-Jun 2023", Category.DATE, "Feb-Jun 2023"),
        ("home for Dussehra", Category.DATE, "Dussehra"),
        ("Lindenstrasse 14 is cold", Category.ADDRESS, "14"),
        ("USNS Corbin, FPO AE 09510", Category.ADDRESS, "USNS Corbin, FPO AE 09510"),
    ],
)
def test_numbers_places_and_ages(text: str, category: Category, phi: str) -> None:
    assert (category, phi) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease, Foley catheter, Babinski negative, Kerley B lines",
        "Swan-Ganz catheter; Hodgkin lymphoma; Crohn disease; Murphy sign absent",
        "Lasix 40 mg, Tylenol 650 mg, Zosyn 3.375 g, vancomycin 1250 mg",
        "T 98.6 F, HR 102, BP 148/92, RR 22, SpO2 91% on 2 L, weight 81.5 kg",
        "WBC 17.4, Hgb 9.8, platelets 250000, Na 138, creatinine 1.2, BNP 2400",
        "T 99 F and rising. Temp 99F. Seen @bedside. Sats 93 mid-thigh.",
        "Pain under the 8th rib; the 5th percentile; in late pregnancy, early satiety",
        "SpO2 was at 94 he is comfortable. Pulse, 92, regular. BIPAP 12/5.",
        "COVID_19 negative. Hyoid at C2-3 -neg",
        "Primary Insurance: Medicare. No Dairy. Arrived by Air Ambulance.",
        "Chest, PA and lateral. CT of the Chest. MRI Brain.",
        "Seen by Cardiology. Discussed with Pulmonology. Follow up in Pain Clinic.",
        "Transferred from Emergency Department to ICU.",
        "Patient: Denies chest pain. Nurse: Alert and oriented.",
        "FINDINGS: Heart size is normal. IMPRESSION: No acute disease.",
        "63-year-old man, 7-month history, 20 pack-years, 2 x 3 cm, L4-L5, T12",
        "Albuterol 2 puffs q4h prn; heparin 5000 units; 0.9% NS at 125 mL/hr",
        "His wife called. Her mother had asthma. Brother well.",
        "Gram stain, Glasgow coma scale 15, Apgar 9, Wells score 4.5",
        "Sputum grew S. pneumoniae and H. Influenzae; C. Diff negative",
        "GFR 60-89, glucose 100-140 mg/dL, 500-1000 mL",
        "Moved from Texas. Lives in Ecuador. Native of New Mexico.",
        "0900 - walked on RA\n0700 - walked on RA\n",
        "No pneumothorax, effusion or consolidation. Right lower lobe clear.",
        "Oxygen Saturation (95). Heart Rate, 92, regular. Peak flow 97 yesterday. d/c 2.5 mg. Adm 3.5 L of urine.",
        "Zofran 4 iv 10 min later. He follows a1c and INR. Handle with care. Via RSPV 2 L.",
        "No edema. - CT tomorrow. - CV Regular. Someone from radiology called. Nurse from telemetry called.",
        "Extension 45, ulnar deviation 20. USS KUB. Prescribed 2 weeks by the surgery office.",
    ],
)
def test_clinical_language_survives(text: str) -> None:
    assert DEIDENTIFIER.deidentify(text, NOBODY).text == text


@pytest.mark.parametrize(
    ("text", "facility"),
    [
        ("an inpatient at KMC until noon", "KMC"),
        ("Care transferred from UHS.", "UHS"),
        ("Echo at TGH was normal.", "TGH"),
        ("works nights at Weyland Timber", "Weyland Timber"),
        ("sent to Good Samaritan of Fremont", "Good Samaritan of Fremont"),
        ("TRANSFERRED FROM NORTH FORK COMMUNITY FOR CATH", "NORTH FORK COMMUNITY"),
        ("Hospital: Mercy   Ward: 4", "Mercy"),
        ("Before Weyland Timber let him go he drank.", "Weyland Timber"),
        ("Blood couriered to Larkspur Group", "Larkspur Group"),
        ("should go to KMC", "KMC"),
        ("The Larkspur Group office is closed.", "Larkspur Group"),
        ("Cascade Bone and Joint Specialists\n880 Larkspur\n", "Cascade Bone and Joint Specialists"),
        ("Employer: Rocket Plumbing; School: Pine Crest", "Pine Crest"),
        (
            "She had been seen a year ago for the same trouble at Port Huron\nHealth System.",
            "Port Huron\nHealth System",
        ),
    ],
)
def test_organisations_by_what_is_said_of_them(text: str, facility: str) -> None:
    assert (Category.FACILITY, facility) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Transferred from ICU, sent from OSH, admitted to Hospital Medicine, seen at bedside.",
        "Pain at L4, at RUQ and at MCP joints. IVF at KVO.",
        "Radiology agreed. Surgery wants to wait. Syncope felt to be vasovagal. ID recommends CTX.",
        "Site: left forearm. Clinic: 2 weeks.",
        "I-131 ablation. Route: oral. Physical Exam\nBP 120/80",
    ],
)
def test_wards_anatomy_and_services_are_no_organisations(text: str) -> None:
    assert DEIDENTIFIER.deidentify(text, NOBODY).text == text


def test_ages_over_89_are_told_as_one_and_younger_stay() -> None:
    text = DEIDENTIFIER.deidentify("A 93-year-old, wife 88 years old", NOBODY).text
    assert text == "A 90+-year-old, wife 88 years old"


def test_the_same_in_the_same_out_and_another_key_or_patient_another_surrogate() -> None:
    text, ours = "Seen by Dr. Okafor on 03/14/2024.", KnownIdentifiers(subject="Patient/1")
    once = DEIDENTIFIER.deidentify(text, ours).text
    assert Deidentifier(b"k" * 32).deidentify(text, ours).text == once
    assert Deidentifier(b"x" * 32).deidentify(text, ours).text != once
    assert DEIDENTIFIER.deidentify(text, KnownIdentifiers(subject="Patient/2")).text != once


def test_one_person_has_one_surrogate_and_two_have_two() -> None:
    replaced = DEIDENTIFIER.deidentify("Dr. Okafor and Dr. Lindqvist; Dr. OKAFOR agreed.", NOBODY).replaced
    first, second, third = (one.surrogate for one in replaced)
    assert first == third != second


def test_spans_are_offsets_in_the_original_and_do_not_overlap() -> None:
    text = "Dr. Okafor, MRN 00482913, phone 617-555-0187, seen 03/14/2024 at Harborview Clinic."
    result = DEIDENTIFIER.deidentify(text, NOBODY)
    rebuilt, at = "", 0
    for one in result.replaced:
        assert one.start >= at
        rebuilt += text[at : one.start] + one.surrogate
        at = one.end
    assert rebuilt + text[at:] == result.text


def test_nothing_identifying_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        DEIDENTIFIER.deidentify("Dr. Okafor, MRN 00482913", NOBODY)
    assert "Okafor" not in caplog.text
    assert "00482913" not in caplog.text


def test_a_text_without_end_is_refused() -> None:
    with pytest.raises(NoteError, match="longer than"):
        DEIDENTIFIER.deidentify("x" * 300_000, NOBODY)


@pytest.mark.parametrize("text", ["A" * 50_000, "A. " * 30_000, "1-" * 50_000, "Dr. A" * 20_000, "a@" * 50_000])
def test_a_hostile_text_takes_seconds_at_most(text: str) -> None:
    started = time.process_time()
    with contextlib.suppress(NoteError):
        DEIDENTIFIER.deidentify(text, NOBODY)
    assert time.process_time() - started < 5


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Deidentifier(b"short")
