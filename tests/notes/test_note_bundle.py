"""The note bundle that ships loads as any Hugging Face checkpoint does, and reads what is present now."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds.engine.bundles import Bundle
from cds.engine.by_length import ByLength
from cds.engine.network import Network, TorchNetwork
from cds.engine.note import NoteReader, pooled
from cds.engine.sentence_scores import SentenceScores
from cds.findings import FINDINGS, PartScore
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.reading import prepare

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "models" / "clinical-note"
BLIND = ROOT / "training" / "note" / "blind.csv"


class Reader:
    """The bundle as ``AutoModelForSequenceClassification`` loads it."""

    def __init__(self) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification

        self.bundle = Bundle.load(DIRECTORY).expect("note")
        model = AutoModelForSequenceClassification.from_pretrained(DIRECTORY, local_files_only=True)
        self.model = model.float().eval()
        network = TorchNetwork(self.model, torch.device("cpu"))
        self.reader = NoteReader.of(self.bundle, network)

    def score(self, note: str) -> PartScore:
        text = prepare([Deidentifier(b"k" * 32).deidentify(note, KnownIdentifiers()).text])
        return self.bundle.score(pooled(self.reader.read(text)))


def engine_network(bundle: Bundle) -> Network:
    """In ONNX, where ONNX Runtime gives the same."""
    from cds.engine.networks import note_network
    from cds.engine.onnx_export import exported
    from cds.engine.onnx_runtime import OnnxRuntimeNetwork
    from cds.engine.prepare import examples_for

    return OnnxRuntimeNetwork(exported(note_network(bundle), examples_for(bundle)[0]), threads=1)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    import torch

    with torch.inference_mode():
        yield Reader()


def test_it_scores_the_findings_of_the_project_in_their_order(reader: Reader) -> None:
    assert reader.bundle.findings == tuple(FINDINGS)
    assert list(reader.model.config.id2label.values()) == list(FINDINGS)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in DIRECTORY.iterdir()) < 30_000_000


@pytest.mark.parametrize(
    ("key", "present", "absent"),
    [
        ("pneumothorax", "Right-sided pneumothorax with mediastinal deviation.", "No pneumothorax."),
        (
            "pneumothorax",
            "Large left pneumothorax, chest tube placed.",
            "Rule out pneumothorax. Lungs fully expanded.",
        ),
        ("pneumothorax", "Tension pneumothorax suspected.", "Family history: brother had a pneumothorax."),
        ("pneumonia", "Right lower lobe pneumonia, started antibiotics.", "No evidence of pneumonia."),
        ("effusion", "Moderate left pleural effusion.", "There is no pleural effusion."),
        ("edema", "Acute pulmonary edema, IV furosemide given.", "No pulmonary edema. Ankle edema 1+."),
        ("emphysema", "Severe emphysema on home oxygen.", "Mother died of emphysema."),
        ("hernia", "Large hiatal hernia.", "Right inguinal hernia."),
    ],
)
def test_present_now_is_told_from_denied_past_and_others(
    reader: Reader, key: str, present: str, absent: str
) -> None:
    assert reader.score(present).probabilities[key] > 0.7
    assert reader.score(absent).probabilities[key] < 0.5


@pytest.mark.parametrize(
    ("report", "present"),
    [
        ("INDICATION: Pneumonia.\nFINDINGS: Lungs are clear. Heart size normal.", set()),
        ("No focal consolidation, pleural effusion, or pneumothorax.", set()),
        (
            "Cardiac silhouette is enlarged. Blunting of the left costophrenic angle.",
            {"cardiomegaly", "effusion"},
        ),
        ("Stable bibasilar opacities likely atelectasis.", {"atelectasis"}),
        ("Interval resolution of pulmonary edema.", set()),
        ("No PTX. Small effusion persists.", {"effusion"}),
        ("CLINICAL QUESTION: infiltrate?\nHila not enlarged; cardiac silhouette WNL.", set()),
        ("Family History\nMother: COPD and emphysema.\nIMPRESSION\nNo acute disease.", set()),
    ],
)
def test_reports_are_read_as_radiologists_write_them(reader: Reader, report: str, present: set[str]) -> None:
    called = {key for key, p in reader.score(report).probabilities.items() if p >= 0.5}
    assert called - {"infiltration"} == present


def test_what_makes_it_cheaper_changes_no_probability(reader: Reader) -> None:
    """As the engine runs it: by like length, of the last layer the first token, what was said before not again."""
    fast = NoteReader.of(reader.bundle, ByLength(engine_network(reader.bundle)), SentenceScores())
    for row in list(csv.DictReader(BLIND.read_text(encoding="utf-8").splitlines()))[::3]:
        plain = reader.bundle.score(pooled(reader.reader.read(row["text"]))).probabilities
        cheap = reader.bundle.score(pooled(fast.read(row["text"]))).probabilities
        assert cheap == pytest.approx(plain, abs=0.01)


def test_length_makes_no_finding(reader: Reader) -> None:
    plain = "The patient feels well. Lungs are clear. Blood pressure is controlled. Continue lisinopril. "
    assert max(reader.score(plain * 30).probabilities.values()) < 0.35


def test_a_picture_without_the_name_is_recognised(reader: Reader) -> None:
    said = "Sudden pleuritic pain on the left. Absent breath sounds on the left, hyperresonant to percussion."
    assert reader.score(said).probabilities["pneumothorax"] > 0.7
