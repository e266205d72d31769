"""From a document's bytes to its text, whatever the EHR says that it is."""

from __future__ import annotations

import re
from email.message import Message

from cds.errors import NoteError
from cds.notes.formats import ccda, charset, html, pdf, rtf

MAX_BYTES = 8 * 1024 * 1024
MAX_CHARS = 200_000

_DECLARED = {
    "text/plain": "plain",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/rtf": "rtf",
    "application/rtf": "rtf",
    "application/pdf": "pdf",
    "text/xml": "ccda",
    "application/xml": "ccda",
    "application/cda+xml": "ccda",
    "application/hl7-cda+xml": "ccda",
    "application/hl7-sda+xml": "ccda",
}
_UNSAID = ("", "application/octet-stream")
_BINARY = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"II*\x00",
    b"MM\x00*",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"7z\xbc\xaf",
    b"BZh",
    b"\xd0\xcf\x11\xe0",
    b"GIF8",
)
_NOISE = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
"""What no text has, or here and there: a NUL pads records of fixed width."""
_HTML = re.compile(
    r"(<\?xml[^>]*>\s*)?(<!--(?:(?!-->).)*-->\s*)*"
    r"<(!doctype html|html|head|body|div|p|table|span|font|center|h[1-6]|b|br|ul|ol|style|script)[\s/>]",
    re.DOTALL,
)
"""How HTML may begin (WHATWG MIME Sniffing §7.1, and the fragments that EHRs keep)."""
_HTML_WITHIN = re.compile(r"<br ?/?>|</(?:p|div|span|b|strong|u|i|td|li|h[1-6])>")
"""Mark-up that no plain text has: EHRs keep fragments that begin with words."""
_SNIFFED = 1024
_LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
_UNSEEN = dict.fromkeys("\xad\u200b\u200c\u200d\u2060\ufeff", "")
_PLAIN = str.maketrans(_LIGATURES | _UNSEEN)
"""As typesetting leaves words, "e\ufb00usion" and "pneu\xadmonia", and as everybody spells them."""
_HYPHENATED = re.compile(
    r"(?<=[a-z]{2})(?<!\bright)(?<!\bleft)(?<!\bnon)(?<!\bpost)(?<!\bpre)(?<!\bmid)(?<!\bwell)(?<!\bair)"
    r"(?<!\bground)(?<!\bfollow)-[ \t]*\n[ \t]*(?=[a-z]{2})"
)
"""Where a line's end cuts a word in two; "right-" and its like have a hyphen of their own."""


def extract(content: bytes, content_type: str, *, conclusion: str = "") -> str:
    """The text of a document, newlines normalised, at most ``MAX_CHARS`` of it.

    ``conclusion`` is what the EHR keeps beside a report: it is added where the document does not hold it, and is
    the text where the document cannot be read.

    What the bytes show themselves to be goes before ``content_type``, which EHRs often get wrong. Raises
    :class:`NoteError` with the reason for what is too large, cannot be read, or holds no text.
    """
    try:
        text = _extract(content, content_type)
    except NoteError:
        if not conclusion:
            raise
        text = ""
    return "\n\n".join(filter(None, (text, _lacking(text, conclusion))))


def _lacking(text: str, conclusion: str) -> str:
    """``conclusion`` as a section of its own, unless ``text`` says it."""
    plain = _tidy(conclusion)
    if not plain or " ".join(plain.split()) in " ".join(text.split()):
        return ""
    return f"IMPRESSION:\n{plain}"


def _extract(content: bytes, content_type: str) -> str:
    if len(content) > MAX_BYTES:
        raise NoteError(f"the document is larger than {MAX_BYTES} bytes")
    text = _tidy(_read(content, content_type))
    if not text:
        raise NoteError("the document holds no text")
    return text


def _read(content: bytes, content_type: str, *, inside: bool = False) -> str:
    declared = Message()
    declared["Content-Type"] = "".join(filter(str.isprintable, content_type))
    said = str(declared.get_content_charset() or "")
    match _kind(content, declared.get_content_type() if content_type else ""):
        case "pdf":
            return pdf.text(content)
        case "rtf":
            return rtf.text(content)
        case "html":
            return html.text(content, said)
        case "plain":
            return _legible(charset.text(content, said))
        case "ccda" if not inside:
            read = ccda.read(content, said)
            return read if isinstance(read, str) else _read(read.content, read.content_type, inside=True)
    raise NoteError("the document is of a kind that is not read")


def _kind(content: bytes, declared: str) -> str:
    """``pdf``, ``rtf``, ``html``, ``ccda``, ``plain``, or empty for what is none of them."""
    if b"%PDF-" in content[:_SNIFFED]:  # its bytes, since its zeros may look like UTF-16
        return "pdf"
    start = charset.text(content[:_SNIFFED]).lstrip("\ufeff \t\r\n").lower()
    if start.startswith("{\\rtf"):
        return "rtf"
    if _HTML.match(start) or (not start.startswith("<") and _HTML_WITHIN.search(start)):
        return "html"
    if start.startswith("<?xml") or "<clinicaldocument" in start:
        return "ccda"
    if content.startswith(_BINARY):
        return ""
    # Declared as something that would have shown itself: only text is left.
    kind = _DECLARED.get(declared, "plain" if declared.startswith("text/") or declared in _UNSAID else "")
    return "plain" if kind in ("pdf", "rtf") and _is_text(content) else kind


def _legible(text: str) -> str:
    """``text``, unless it is something packed or enciphered, read as if it were one."""
    sample = text[:4096]
    if len(_NOISE.findall(sample)) * 20 > len(sample):
        raise NoteError("the document is of a kind that is not read")
    return text


def _is_text(content: bytes) -> bool:
    return b"\x00" not in content[:4096]


def _tidy(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").replace("\xa0", " ").strip()
    tidy = "\n".join(line.rstrip() for line in text[:MAX_CHARS].translate(_PLAIN).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", _HYPHENATED.sub("", tidy)).strip()
