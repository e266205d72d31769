"""Any BERT sequence classifier reads notes: ours by sentences, a user's in windows."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cds.deadline import NEVER, Deadline
from cds.engine import note
from cds.engine.bundles import Bundle
from cds.engine.local import LocalEngine
from cds.engine.network import Inputs, Logits
from cds.engine.note import NoteReader
from cds.engine.sentence_scores import SentenceScores
from cds.errors import ModelError
from cds.findings import FINDINGS
from training.bundle import Bundle as Manifest
from training.bundle import write_bundle

MODELS = Path(__file__).parents[2] / "models"
CLINICAL_BERT = {"vocab_size": 28_996, "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12}
"""The shape of Bio_ClinicalBERT."""


class Counting:
    """A network that says nothing, and how many rows it was asked of."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, inputs: Inputs, deadline: Deadline = NEVER) -> Logits:
        self.rows += len(inputs["input_ids"])
        return np.zeros((len(inputs["input_ids"]), len(FINDINGS)), np.float32)


def classifier(directory: Path, shape: dict[str, int]) -> None:
    """A BERT of this shape with random weights and a cased vocabulary, saved as Hugging Face saves it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz.",
        "effusion",
        "No",
        "large",
    ]
    words += [f"[unused{n}]" for n in range(shape["vocab_size"] - len(words))]
    model = BertForSequenceClassification(BertConfig(num_labels=len(FINDINGS), **shape))
    model.half().save_pretrained(directory)
    (directory / "vocab.txt").write_text("\n".join(words))
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 512})
    )


def seal(directory: Path, **input: object) -> Bundle:
    plain = {key: {"slope": 1.0, "intercept": 0.0} for key in FINDINGS}
    about = {key: {"mean": 0.5, "std": 0.1} for key in FINDINGS}
    manifest = Manifest(
        name="users-bert",
        version="1",
        kind="note",
        findings=tuple(FINDINGS),
        input=input,
        calibration=plain,
        baseline=about,
        licence="MIT",
        intended_use="test",
    )
    write_bundle(directory, manifest, "# A user's model\n")
    return Bundle.load(directory)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("users-bert")
    classifier(made, {"vocab_size": 60, "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2})
    return made


@pytest.fixture(scope="module")
def image() -> Bundle:
    return Bundle.load(MODELS / "chest-radiograph")


def test_a_long_note_is_read_in_windows_that_overlap(directory: Path, image: Bundle) -> None:
    engine = LocalEngine.load(image, seal(directory, max_tokens=32, stride=8, pooling="max"))
    text = "No large effusion. " * 40
    read = engine._note_reader.read(text)
    assert read[0].start == 0
    assert read[-1].end == len(text.rstrip())
    assert all(later.start < earlier.end for earlier, later in pairwise(read))


def test_an_empty_note_is_scored_too(directory: Path, image: Bundle) -> None:
    engine = LocalEngine.load(image, seal(directory, max_tokens=32, stride=8, pooling="max"))
    assert set(engine.score_note("").probabilities) == set(FINDINGS)


def test_sentences_within_windows_are_its_passages(directory: Path, image: Bundle) -> None:
    bundle = seal(directory, max_tokens=32, stride=8, pooling="max")
    text = "No large effusion. A bad day."
    passages = LocalEngine.load(image, bundle).score_note(text).passages
    assert {text[p.start : p.end] for p in passages} <= {"No large effusion.", "A bad day."}
    assert passages


@pytest.mark.parametrize(
    ("input", "wrong"),
    [
        ({"stride": 8}, "max_tokens"),
        ({"max_tokens": 600, "stride": 8}, "512"),
        ({"max_tokens": 32, "stride": 32}, "stride"),
        ({"max_tokens": 32}, "stride"),
        ({"max_tokens": 32, "unit": "sentence"}, "most_sentences"),
        ({"max_tokens": 32, "unit": "word", "stride": 8}, "unit"),
        ({"max_tokens": 32, "stride": 8, "pooling": "sum"}, "pooling"),
    ],
)
def test_an_input_that_cannot_be_is_refused(
    directory: Path, image: Bundle, input: dict[str, object], wrong: str
) -> None:
    with pytest.raises(ModelError, match=wrong):
        LocalEngine.load(image, seal(directory, **input))


def test_a_bert_of_the_shape_of_bio_clinicalbert_drops_in(tmp_path: Path, image: Bundle) -> None:
    classifier(tmp_path, CLINICAL_BERT)
    engine = LocalEngine.load(image, seal(tmp_path, max_tokens=512, stride=128, pooling="max"))
    score = engine.score_note("Large effusion. No pneumothorax.")
    assert engine._note_reader._network.module.num_parameters() > 108_000_000
    assert all(0 < p < 1 for p in score.probabilities.values())


def test_a_score_comes_with_the_sentences_that_carried_it(image: Bundle) -> None:
    engine = LocalEngine.load(image, Bundle.load(MODELS / "clinical-note"))
    text = "FINDINGS: No pleural effusion. Heart size normal. Large right pneumothorax."
    score = engine.score_note(text)
    carried = {text[p.start : p.end] for p in score.passages if "pneumothorax" in p.probabilities}
    assert carried == {"Large right pneumothorax."}
    strongest = max(p.probabilities.get("pneumothorax", 0) for p in score.passages)
    assert score.probabilities["pneumothorax"] == strongest


def test_padding_and_company_change_no_score(image: Bundle) -> None:
    reader = LocalEngine.load(image, Bundle.load(MODELS / "clinical-note"))._note_reader
    alone = reader.read("Small effusion.")[0].logits
    beside = reader.read("Small effusion. " + "The lungs were heard from apex to base and found clear. " * 3)[
        0
    ].logits
    assert alone == pytest.approx(beside, abs=1e-3)


def test_a_sentence_is_read_once_by_all_who_share_its_scores() -> None:
    bundle = Bundle.load(MODELS / "clinical-note")
    network = Counting()
    reader = NoteReader.of(bundle, network, SentenceScores())
    first = reader.read("FINDINGS: Small effusion. Lungs clear. Small effusion.")
    assert network.rows == 2
    assert [r.logits for r in first] == [
        r.logits for r in reader.read("FINDINGS: Small effusion. Lungs clear. Small effusion.")
    ]
    reader.read("FINDINGS: Lungs clear. Large effusion.")
    assert network.rows == 3


def test_a_minus_among_findings_is_read_as_a_denial() -> None:
    assert (
        note.without_signs("+ infiltrate, - effusion, -PTX (-) edema")
        == "+ infiltrate, no effusion, no PTX no edema"
    )
    assert note.without_signs("effusion (+), chest wall mass (-).") == "effusion present, no chest wall mass."
    assert (
        note.without_signs("Follow-up of a right-sided mass - stable")
        == "Follow-up of a right-sided mass - stable"
    )


@pytest.mark.parametrize(
    ("written", "heading", "read"),
    [
        ("infiltrate?", "clinical question", "rule out infiltrate"),
        ("Cough, ?PNA", "indication", "Cough, rule out PNA"),
        ("? CHF ?PNA", "reason for exam", "rule out CHF rule out PNA"),
        ("Known effusion, pneumothorax?", "indication", "Known effusion, rule out pneumothorax"),
        ("Pneumonia?", "impression", "Pneumonia?"),
        ("? LLL infiltrate", "findings", "? LLL infiltrate"),
        ("effusion, PTX", "resolved", "no effusion, no PTX"),
        ("pneumonia", "pertinent negatives", "no pneumonia"),
        ("The effusion was tapped in May.", "resolved problems", "The effusion was tapped in May."),
        ("Cardiac silhouette WNL, - effusion", "", "Cardiac silhouette within normal limits, no effusion"),
    ],
)
def test_a_heading_asks_or_denies_what_stands_under_it_and_a_question_elsewhere_doubts(
    written: str, heading: str, read: str
) -> None:
    assert note.in_words(written, heading) == read


def test_a_word_for_two_findings_counts_as_the_higher_of_its_two_readings() -> None:
    network = Counting()
    reader = NoteReader.of(Bundle.load(MODELS / "clinical-note"), network)
    reader.read("Left hydropneumothorax.")
    assert network.rows == 2


@pytest.mark.parametrize(
    ("british", "american"),
    [("Oedema", "edema"), ("oesophageal", "esophageal"), ("haemothorax", "hemothorax"), ("tumours", "tumors")],
)
def test_british_spelling_is_read_as_american(british: str, american: str) -> None:
    assert note.american(british) == american
