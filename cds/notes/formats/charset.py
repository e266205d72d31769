"""Bytes to characters, by what was declared, what the bytes say themselves, and at last by what cannot fail."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KNOWN = re.compile(
    r"ascii|utf-(8|16|32)(-[bl]e)?|utf-8-sig|iso8859-\d+|cp(?!037|273|424|500|875|1026|1140)\d{3,5}|koi8-[rtu]|mac-\w+|"
    r"tis-620|gb\w+|big5\w*|shift_jis\w*|euc_\w+|iso2022_jp\w*|johab"
)
"""The text encodings among Python's codecs that leave plain ASCII as it is, and UTF-16 and 32; the others are
compressions, escapes that hide a tag in plain letters (UTF-7, HZ), or EBCDIC."""
_WIDE = ("utf-16", "utf-32")
_LATIN = frozenset({"ascii", "iso8859-1"})
_SAMPLE = 4096


def text(content: bytes, charset: str = "") -> str:
    """A byte order mark wins over ``charset``, as it does for HTML; a charset that does not fit is passed over."""
    for encoding in _candidates(content, charset):
        try:
            return content.decode(encoding)
        except UnicodeError:
            continue
    # Windows-1252 is what mislabelled clinical text most often is; five of its bytes mean nothing.
    return content.decode("windows-1252", errors="replace")


def _candidates(content: bytes, charset: str) -> list[str]:
    marked = [encoding for mark, encoding in _MARKS if content.startswith(mark)][:1]
    declared = _known(charset)
    if declared.startswith(_WIDE) and 0 not in content[:_SAMPLE]:
        declared = ""  # Western text is every other byte zero in these: it was written in another
    if declared in _LATIN:
        # What says Latin-1 is Windows-1252 (WHATWG Encoding §4.2); what reads as UTF-8 is not Latin by chance.
        return [*marked, "utf-8", "windows-1252"]
    return [*marked, *([declared] if declared else _unmarked(content)), "utf-8"]


def _known(charset: str) -> str:
    try:
        name = codecs.lookup(charset.strip("\"' ")).name
    except (LookupError, ValueError):
        return ""
    return name if _KNOWN.fullmatch(name) else ""


def _unmarked(content: bytes) -> list[str]:
    """UTF-16 without a mark: most of Western text's other bytes are then zero."""
    sample = content[:_SAMPLE]
    low, high = sample[1::2].count(0), sample[::2].count(0)
    if max(low, high) * 4 < len(sample) or not sample:
        return []
    return ["utf-16-le" if low > high else "utf-16-be"]
