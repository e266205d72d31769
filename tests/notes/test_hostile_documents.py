"""Mutated documents: each is read or refused, in bounded time and memory (thousands: bench/hostile_notes.py)."""

from __future__ import annotations

import contextlib
import resource
import time
import zlib

import pytest

from bench.mutations import FORMATS, honest, mutants
from cds.engine.sentences import sentences
from cds.errors import NoteError
from cds.findings import ModelVersion, PartScore, Passage
from cds.notes.evidence import evidence
from cds.notes.extraction import extract
from cds.notes.reading import worth_reading
from tests.notes.test_extraction import pdf

SECONDS = 4.0
"""Of the CPU. Twice what a document may take: the machine that tests may be slow."""
MEGABYTES = 400


@pytest.mark.parametrize("of", FORMATS)
def test_what_is_mutated_is_honest_at_first(of: str) -> None:
    for content in honest(of)[:2]:
        assert "pneumothorax" in extract(content, "").lower() or b"Clear" in content


@pytest.mark.parametrize("of", FORMATS)
def test_a_mutated_document_is_read_or_refused(of: str) -> None:
    before = _peak()
    for content in mutants(of, 60, seed=1):
        assert _seconds(content) < SECONDS
    assert _peak() - before < MEGABYTES


NOBODY = ModelVersion("note", "none", "0", "0" * 64)
MAPPED = b"<</Type/Font/Subtype/Type0/BaseFont/X/ToUnicode 4 0 R>>"
"""A font of whatever the page's content maps."""


def packed(stream: bytes) -> bytes:
    return pdf(zlib.compress(stream), declared="/Filter/FlateDecode")


@pytest.mark.parametrize(
    "content",
    [
        packed(b"BT /F1 1 Tf " + b"1 1 Td (a) Tj " * 190_000 + b"ET"),
        packed(b"BT " + b"/F1 1 Tf (a) Tj " * 30_000 + b"ET"),
        packed(b"BI /W 1 ID EI " * 100_000),
        pdf(b"begincmap\n1 beginbfrange\n<0000><FFFF><0000>\nendbfrange", fonts=2_000, font=MAPPED),
        b"%PDF-1.4\n" + b"startxref\n" * 800_000,
        b"%PDF-1.4\n" + b"1 0 obj<<>>endobj\n" * 400_000,
        b"{\\rtf1 " + b"{}" * 3_500_000 + b"}",
        b"{\\rtf1 {\\pict " + b"0f" * 3_500_000 + b"}text}",
        b"{\\rtf1 {\\fonttbl " + b"\\f1\\fcharset0 " * 100_000 + b"}text}",
        b"{\\rtf1 " + b'{\\field{\\*\\fldinst{HYPERLINK "a"}}{ ' * 20_000 + b"}",
        b"{\\rtf1 " + b"{\\strike \\v" * 150_000 + b"}",
        b"{\\rtf1 " + b"\\strike x" * 200_000 + b"}",
        b"<html>" + b"<p>w" * 1_900_000,
        b"<html><p " + b"a=b " * 1_900_000 + b">x",
        b"<html><p " + b" ".join(b"a%d='>'" % i for i in range(100_000)) + b">x",
        b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a/>" * 1_900_000,
        b"<!---->" * 140 + b"<",
        b" " * 7_600_000 + b"x",
        b"x" + b" \t" * 3_600_000 + b"x",
    ],
    ids=lambda content: content[:30].decode("latin-1"),
)
def test_a_bomb_is_bounded(content: bytes) -> None:
    before = _peak()
    assert _seconds(content) < SECONDS
    assert _peak() - before < MEGABYTES


@pytest.mark.parametrize(
    "text",
    [
        " " * 200_000 + "x",
        "A" + " " * 199_000 + "x",
        ": A" * 66_000,
        "Family history " * 13_000,
        "FAMILY HISTORY:\n" + "father \n" * 24_000,
        "family history of\n" * 11_000,
        "a. " * 66_000,
        "\n \t" * 66_000,
        "IMPRESSION: " * 16_000,
        "FINDINGS: " + "effusion " * 22_000 + "\nADDENDUM: on review no effusion.",
        "FINDINGS: Left effusion.\nADDENDUM: on review " + "no effusion, " * 15_000,
    ],
    ids=lambda text: text[:20],
)
def test_no_text_keeps_the_sections_busy(text: str) -> None:
    started = time.process_time()
    worth_reading([text])
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("repeated", ["effusion ", "no PTX, ", "PNA: continue ", "mass? no mass "])
def test_a_sentence_without_an_end_keeps_the_evidence_not_busy(repeated: str) -> None:
    text = repeated * (200_000 // len(repeated))
    passages = tuple(Passage(s.start, s.end, {"effusion": 0.9, "pneumothorax": 0.9}) for s in sentences(text)[:48])
    started = time.process_time()
    evidence(text, PartScore(NOBODY, {"effusion": 0.9, "pneumothorax": 0.9}, passages))
    assert time.process_time() - started < SECONDS


def _seconds(content: bytes) -> float:
    started = time.process_time()
    with contextlib.suppress(NoteError):
        assert extract(content, "")
    return time.process_time() - started


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
