"""A document's text comes out whatever the EHR calls it; what is hostile is refused with a reason."""

import base64
import contextlib
import encodings
import encodings.aliases
import lzma
import pkgutil
import time
import zlib

import pytest

from cds.errors import NoteError
from cds.notes.extraction import MAX_BYTES, extract

CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
 <recordTarget><patientRole><patient>
  <name><given>Ada</given><family>Quill</family></name>
 </patient></patientRole></recordTarget>
 <component>{body}</component>
</ClinicalDocument>"""
NARRATIVE = """<structuredBody>
 <component><section><title>HISTORY OF PRESENT ILLNESS</title>
  <text><paragraph>Sudden <content styleCode="Bold">pleuritic</content> pain.</paragraph>
   <table><thead><tr><th>Vital</th><th>Value</th></tr></thead>
    <tbody><tr><td>SpO2</td><td>88 %</td></tr></tbody></table>
   <list><item>cough</item><item>fever</item></list>first<br/>second</text>
  <component><section><title>EXAM</title><text>Absent breath sounds.</text></section></component>
 </section></component></structuredBody>"""


FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def pdf(content: bytes, *, declared: str = "", fonts: int = 1, font: bytes = FONT) -> bytes:
    """A PDF of one page with a content stream, object 4, and a font by so many names, as small as one can be."""
    named = b"".join(b"/F%d 5 0 R" % (number + 1) for number in range(fonts))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<<%s>>>>>>" % named,
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), declared.encode(), content),
        font,
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    xref = len(out)
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        rows,
        xref,
    )


PAGE = pdf(b"BT /F1 12 Tf 72 700 Td (Right pneumothorax.) Tj 0 -20 Td (Chest tube placed.) Tj ET")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("38 °C, né".encode(), "text/plain; charset=utf-8"),
        ("38 °C, né".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ("38 °C, né".encode("utf-16"), "text/plain"),
        ("38 °C, né".encode("cp1252"), "text/plain"),
        ("38 °C, né".encode(), "text/plain; charset=no-such-charset"),
        ("\ufeff38 °C, né".encode(), "text/plain; charset=us-ascii"),
        ("38 °C, né".encode(), "text/plain; charset=ISO-8859-1"),
        ("38 °C, né".encode("latin-1"), "text/plain; charset=utf-8"),
        ("38 °C, né".encode("cp1252"), "text/plain; charset=utf-7"),
        ("38 °C, né".encode("utf-16-le"), "text/plain"),
        ("38 °C, né".encode("utf-16-be"), "application/octet-stream"),
        ("38 °C, né".encode("utf-16-be"), "text/plain; charset=utf-16be"),
        ("38 °C, né".encode("cp437"), "text/plain; charset=ibm437"),
        ("38 °C, né".encode(), 'text/plain; charset="unicode_escape"'),
        ("38 °C, né".encode("cp1252"), "text/plain; charset=zlib"),
        ("38 °C, né".encode(), "text/plain; charset=utf-16"),
        ("38 °C, né".encode(), "text/plain; charset=utf-32be"),
        ("38 °C, né".encode(), "text/plain; charset=cp037"),
    ],
)
def test_plain_text_in_any_charset(content: bytes, content_type: str) -> None:
    assert extract(content, content_type) == "38 °C, né"


def test_no_charset_finds_something_else_in_plain_ascii() -> None:
    written = "Clear +ADw-script+AD4- ~{VPND~} xn--ls8h \\u0041 =41 636c6561720a"
    for codec in {
        *(module.name for module in pkgutil.iter_modules(encodings.__path__)),
        *encodings.aliases.aliases,
    }:
        for content, kind in ((written, "text/plain"), (f"<p>{written}</p>", "text/html")):
            read = extract(content.encode(), f"{kind}; charset={codec}")
            # JIS X 0201 has a yen and an overline in their places, which hide nothing.
            assert read.replace("¥", "\\").replace("‾", "~") == written, codec


def test_html_keeps_lines_and_rows_and_drops_scripts() -> None:
    page = b"""<html><head><title>t</title><style>p{color:red}</style></head><body><script>alert('no')</script>
    <h1>Chest</h1><p>No <b>effusion</b>.</p><ul><li>cough</li><li>fever</li></ul>
    <table><tr><td>HR</td><td>120</td></tr></table>a<br>b<!-- hidden --></body></html>"""
    assert extract(page, "text/html").split("\n") == [
        "Chest:",
        "No effusion.",
        "cough",
        "fever",
        "HR | 120",
        "a",
        "b",
    ]


def test_a_heading_of_html_reads_as_a_heading() -> None:
    page = b"<div>Cough<h2>Family <i>history</i>:</h2><p>Emphysema</p><h3></h3><h2>Impression</h2>Clear</div>"
    assert extract(page, "text/html").split("\n") == [
        *("Cough", "", "Family history:", "Emphysema", "", "Impression:", "Clear")
    ]


def test_html_in_the_declared_charset() -> None:
    assert extract("<html><p>né".encode("cp1252"), "text/html; charset=utf-8") == "né"
    assert extract("<html><p>né".encode(), "text/html; charset=iso-8859-1") == "né"
    assert extract("<html><p>né".encode("latin-1"), "text/html; charset=iso-8859-1") == "né"
    assert extract('<html><meta charset="windows-1252"><p>né'.encode("cp1252"), "text/html") == "né"


def test_rtf() -> None:
    rtf = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\f0 Left \b effusion\b0 , 38 \'b0C.\par Second line.}"
    assert extract(rtf, "application/rtf").split("\n") == ["Left effusion, 38 °C.", "Second line."]


def test_a_link_in_rtf_is_its_text() -> None:
    rtf = rb'{\rtf1 See {\field{\*\fldinst{HYPERLINK "http://x.example/"}}{\fldrslt the report}} today.}'
    assert extract(rtf, "") == "See the report today."


def test_an_emoji_of_rtf_is_one_character_and_half_of_one_is_none() -> None:
    assert (
        extract(rb"{\rtf1 Thanks \u55357?\u56911? \u-10179?\u-8704? half \u55357?}", "")
        == "Thanks 🙏 😀 half \ufffd"
    )


def test_the_fonts_of_rtf_say_its_charset() -> None:
    rtf = rb"{\rtf1\ansi{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fnil\fcharset204 Arial;}}\f1 \'e4\'e0}"
    assert extract(rtf, "") == "да"


def test_pdf_text_layer() -> None:
    assert extract(PAGE, "application/pdf").split("\n") == ["Right pneumothorax.", "Chest tube placed."]


def test_ccda_gives_titles_and_narrative_without_the_header() -> None:
    text = extract(CDA.format(body=NARRATIVE).encode(), "text/xml")
    assert text.split("\n") == [
        "HISTORY OF PRESENT ILLNESS:",
        "Sudden pleuritic pain.",
        "Vital | Value",
        "SpO2 | 88 %",
        "cough",
        "fever",
        "first",
        "second",
        "",
        "EXAM:",
        "Absent breath sounds.",
    ]
    assert "Quill" not in text


@pytest.mark.parametrize(
    ("code", "title", "heading"),
    [
        ("10157-6", "Antécédents", "Family history:"),
        ("10157-6", "FAMILY HX", "FAMILY HX:"),
        ("10157-6", "", "Family history:"),
        ("99999-9", "Antécédents", "Antécédents:"),
    ],
)
def test_a_section_of_ccda_is_known_by_its_code_where_its_title_says_nothing(
    code: str, title: str, heading: str
) -> None:
    coded = f'<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>'
    body = f"<section>{coded}<title>{title}</title><text>x</text></section>"
    assert extract(CDA.format(body=body).encode(), "").split("\n") == [heading, "x"]


def test_ccda_in_another_encoding_than_it_says() -> None:
    body = "<section><text>né</text></section>"
    assert extract(CDA.format(body=body).encode("cp1252"), "text/xml") == "né"
    assert extract(CDA.format(body=body).replace("UTF-8", "UTF-16").encode("utf-16"), "text/xml") == "né"


def test_a_conclusion_beside_the_document_is_added_where_it_is_lacking() -> None:
    said = extract(b"Lungs clear.\nNo\neffusion.", "text/plain", conclusion="No effusion.")
    assert said == "Lungs clear.\nNo\neffusion."
    said = extract(b"Lungs clear.", "text/plain", conclusion="Normal.")
    assert said == "Lungs clear.\n\nIMPRESSION:\nNormal."
    assert extract(b"\x89PNG", "image/png", conclusion="Normal.") == "IMPRESSION:\nNormal."


def test_a_cda_document_may_hold_a_pdf() -> None:
    held = base64.b64encode(PAGE).decode()
    body = f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{held}</text></nonXMLBody>'
    assert "Right pneumothorax." in extract(CDA.format(body=body).encode(), "application/hl7-cda+xml")


def test_a_cda_document_may_not_hold_another() -> None:
    held = base64.b64encode(CDA.format(body=NARRATIVE).encode()).decode()
    body = f'<nonXMLBody><text mediaType="text/xml" representation="B64">{held}</text></nonXMLBody>'
    with pytest.raises(NoteError, match="kind that is not read"):
        extract(CDA.format(body=body).encode(), "text/xml")


@pytest.mark.parametrize(
    "declared", ["text/plain", "application/octet-stream", "", "text/html", "application/pdf"]
)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PAGE, "Right pneumothorax."),
        (rb"{\rtf1\ansi Left effusion.}", "Left effusion."),
        (b"<!DOCTYPE html><p>Clear lungs.", "Clear lungs."),
        (CDA.format(body=NARRATIVE).encode(), "Absent breath sounds."),
    ],
)
def test_the_bytes_go_before_the_declared_type(content: bytes, said: str, declared: str) -> None:
    assert said in extract(content, declared)


def test_text_declared_as_pdf_or_rtf_is_text() -> None:
    assert extract(b"Lungs clear.", "application/pdf") == "Lungs clear."
    assert extract(b"Lungs clear.", "application/rtf") == "Lungs clear."


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<ClinicalDocument xmlns="urn:hl7-org:v3">&b;</ClinicalDocument>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<ClinicalDocument xmlns="urn:hl7-org:v3">&a;</ClinicalDocument>"""
INFLATED = pdf(zlib.compress(b" " * 60_000_000), declared="/Filter/FlateDecode")


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        (b"", "text/plain", "holds no text"),
        (b" \n ", "text/plain", "holds no text"),
        (b"x" * (MAX_BYTES + 1), "text/plain", "larger than"),
        (b"\x89PNG\r\n\x1a\n", "text/plain", "kind that is not read"),
        (b"\x1f\x8b\x08\x00compressed", "text/plain", "kind that is not read"),
        (b"anything", "image/png", "kind that is not read"),
        (lzma.compress(b"Right pneumothorax. " * 20), "", "kind that is not read"),
        (b"\x00\x00" * 100 + b"%PDF-1.4 broken", "", "PDF cannot be read"),
        (b"%PDF-1.4 broken", "application/pdf", "cannot be read"),
        (pdf(b""), "application/pdf", "no text layer"),
        (INFLATED, "application/pdf", "cannot be read|no text layer"),
        (b"<?xml version='1.0'?><a><b></a>", "text/xml", "not well formed"),
        (b"<?xml version='1.0'?><Bundle xmlns='http://hl7.org/fhir'/>", "text/xml", "not a CDA"),
        (LAUGHS, "text/xml", "declares a document type"),
        (OUTSIDE, "text/xml", "declares a document type"),
        (b"{\\rtf1" + b"{" * 5000 + b"x", "text/rtf", "nested too deeply"),
        (CDA.format(body="<nonXMLBody><text compression='DF'>x</text></nonXMLBody>").encode(), "", "compressed"),
        (CDA.format(body="<nonXMLBody><text representation='B64'>!</text></nonXMLBody>").encode(), "", "base64"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(content: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(NoteError, match=reason):
        extract(content, content_type)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>" + b"<div>" * 200_000 + b"deep",
        CDA.format(body=f"<section><text>{'<list>' * 100_000}{'</list>' * 100_000}</text></section>").encode(),
        b"{\\rtf1 " + b"\\par word \\'e9 " * 60_000 + b"}",
        b"<html>" + b"<p>word" * 100_000,
        pdf(b"BT /F1 1 Tf " + b"(word) Tj " * 60_000 + b"ET"),
    ],
    ids=["deep html", "deep cda", "long rtf", "long html", "long pdf"],
)
def test_hostile_documents_take_seconds_at_most(content: bytes) -> None:
    started = time.process_time()
    with contextlib.suppress(NoteError):
        assert extract(content, "")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"<p><del>Pneumonia.</del> <s>Effusion.</s> Lungs <ins>clear.</ins></p>", "text/html"),
        (b"<p><span style='Text-Decoration: line-through'>Pneumonia.</span> Lungs clear.</p>", "text/html"),
        (b"<p><span style='display:none'>Pneumonia.</span> <b hidden>No.</b>Lungs clear.</p>", "text/html"),
        (rb"{\rtf1 {\deleted Pneumonia.}Lungs{\v1 not} clear.}", "text/rtf"),
        (rb"{\rtf1 \strike Pneumo{\b nia}.\strike0 Lungs \v not \plain clear.}", "text/rtf"),
    ],
)
def test_what_its_author_struck_out_or_a_reader_does_not_see_is_not_read(
    content: bytes, content_type: str
) -> None:
    assert extract(content, content_type) == "Lungs clear."


def test_what_an_edit_of_a_cda_document_deleted_is_not_read() -> None:
    text = "<content revised='delete'>Pneumonia.</content> <content revised='insert'>Lungs clear.</content>"
    body = f"<structuredBody><component><section><text>{text}</text></section></component></structuredBody>"
    assert extract(CDA.format(body=body).encode(), "text/xml") == "Lungs clear."


def test_braces_and_backslashes_of_rtf_are_characters() -> None:
    assert extract(rb"{\rtf1 \{a\} \\strike b \vern0 c}", "") == r"{a} \strike b c"


def test_mark_up_after_words_is_mark_up_and_less_than_is_a_sign() -> None:
    assert extract(b"Report:<br/>No effusion &amp; no mass", "text/plain") == "Report:\nNo effusion & no mass"
    assert extract(b"PaO2 <60, BNP <b100", "text/plain") == "PaO2 <60, BNP <b100"


def test_words_are_spelt_as_everybody_does_however_they_were_set() -> None:
    assert (
        extract("E\ufb00usion, \ufb01brosis, pneu\xadmo\u200bnia".encode(), "") == "Effusion, fibrosis, pneumonia"
    )


def test_a_word_that_a_line_cut_in_two_is_whole_again() -> None:
    text = "No pneumo-\nthorax. A right-\nsided effu-\n  sion.\nCough -\nfever. Hemi-\nThorax"
    expected = "No pneumothorax. A right-\nsided effusion.\nCough -\nfever. Hemi-\nThorax"
    assert extract(text.encode(), "text/plain") == expected
