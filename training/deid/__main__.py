"""``python -m training.deid --out models/deidentifier``: a quarter of an hour on one core that does nothing else.

Two minutes of it are the measuring, which ``--measure`` does alone.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from cds.engine.bundles import Bundle as Loaded
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentifier import Deidentifier
from cds.notes.deidentification.evaluation import Annotated, Evaluation, evaluate
from cds.notes.deidentification.known import KnownIdentifiers
from training.bundle import Bundle, write_bundle
from training.deid import card, handwritten, presidio_research
from training.deid.carriers import paragraphs
from training.deid.corpus import DATA, corpus
from training.deid.fit import RATE, build, fit
from training.deid.knowledge import lexicon, vectors, write_lexicon
from training.deid.lists import split_of
from training.deid.network import Network, Shape
from training.deid.writer import Note, Writer

VERSION = "1.3.0"
VECTOR = 64
THRESHOLDS = {"NAME": 0.08, "ADDRESS": 0.12, "FACILITY": 0.07, "DATE": 0.9, "NUMBER": 0.9}
"""By hand: on notes from the training's own templates far lower ones would do, and on others take clinical words."""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Size:
    """How much is written, and how often it is read."""

    snippets: int = 32_000
    notes: int = 1_400
    heldout: int = 100
    blind: int = 150
    """Notes to test on, of templates that were looked at while mending, and of those that were not."""
    epochs: int = 5
    more_epochs: int = 3
    """From nothing, and where a network goes on."""


SMOKE = Size(snippets=300, notes=10, heldout=5, blind=5, epochs=1, more_epochs=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.deid", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with notes/ and phi-dev/")
    parser.add_argument("--start", type=Path, help="a bundle whose network goes on learning, more gently and less long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", action="store_true", help="learn nothing: measure and seal OUT anew")
    parser.add_argument("--smoke", action="store_true", help="a minute's run that shows the way, not a good model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = SMOKE if arguments.smoke else Size()
    if not arguments.measure:
        learn(arguments.out, arguments.data, size, seed=arguments.seed, start=arguments.start)
    seal(arguments.out, arguments.data, size)


def learn(out: Path, data: Path, size: Size, *, seed: int, start: Path | None = None) -> None:
    """The files of the bundle, in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    notes = [*_written(data, size, seed=seed), *_general(data) * 2]
    known = lexicon(data)
    words, network = _begun(start) if start else _new(known)
    rate, epochs = (RATE / 2, size.more_epochs) if start else (RATE, size.epochs)
    checkpoint = out / "checkpoint.pt"
    fit(network, words, known, notes, epochs=epochs, seed=seed, rate=rate, checkpoint=checkpoint)
    checkpoint.unlink()
    save(out, network, words, known)


def _new(known: Mapping[str, str]) -> tuple[Sequence[str], Network]:
    words, table = vectors((w for w, digits in known.items() if digits[3:] != "00"), VECTOR)
    return words, build(words, table)


def _begun(start: Path) -> tuple[Sequence[str], Network]:
    """The words and the network of a bundle."""
    words = (start / "words.txt").read_text(encoding="utf-8").split()
    network = Network(Shape(words=len(words), embedding=VECTOR))
    network.load_state_dict({name: w.float() for name, w in load_file(start / "model.safetensors").items()})
    return words, network


def _written(data: Path, size: Size, *, seed: int) -> list[Note]:
    writer = Writer("train", paragraphs(data / "notes", "train"), seed=seed)
    lengths = random.Random(seed)
    snippets = [writer.snippet() for _ in range(size.snippets)]
    return snippets + [writer.note(words=lengths.choice((60, 120, 250, 400))) for _ in range(size.notes)]


def _general(data: Path) -> list[Note]:
    """presidio-research's texts of templates that its test file has not."""
    folder = data / "phi-dev"
    tested = {template for template, _ in presidio_research.notes(folder / "presidio_research_2109.json")}
    given = presidio_research.notes(folder / "presidio_research_1500.json")
    return [note for template, note in given if template not in tested]


def save(out: Path, network: Network, words: Sequence[str], known: Mapping[str, str]) -> None:
    """All but card and manifest."""
    save_file({name: w.half().contiguous() for name, w in network.state_dict().items()}, out / "model.safetensors")
    (out / "words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    write_lexicon(out / "lexicon.txt", known)
    config = {"shape": asdict(network.shape), "thresholds": THRESHOLDS}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def seal(out: Path, data: Path, size: Size) -> str:
    """Measure what lies in ``out`` and write its card; the bundle's SHA-256."""
    write_bundle(out, _bundle(), "")
    figures = measured(TokenClassifier(Loaded.load(out)), data, size)
    return write_bundle(out, _bundle(), card.card(sets=figures, facts=_facts(out, data, size)))


def measured(classifier: TokenClassifier, data: Path, size: Size) -> dict[str, Evaluation]:
    """On notes that training has not seen; of those named blind, neither rules nor thresholds either."""
    blind = _annotated(corpus(data, "heldout", size.blind, seed=78, templates="blind"))
    second = _annotated(corpus(data, "heldout", size.blind, seed=79, templates="blind2"))
    third = _annotated(corpus(data, "heldout", size.blind, seed=80, templates="blind3"))
    general = presidio_research.notes(data / "phi-dev" / "presidio_research_2109.json")
    sets = {
        "Blind, third set: written by hand": _annotated(handwritten.notes("blind3")),
        "Blind, third set: generated": third,
        "Blind, first set: written by hand": _annotated(handwritten.notes("blind")),
        "Blind, first set: generated from other templates, names and real sentences": blind,
        "Second set, looked at since: written by hand": _annotated(handwritten.notes("blind2")),
        "Second set, looked at since: generated": second,
        "Written by hand": _annotated(handwritten.notes()),
        "Generated from other templates, names and real sentences": _annotated(
            corpus(data, "heldout", size.heldout, seed=1)
        ),
        "presidio-research, its second file": _annotated(note for _, note in general),
    }
    figures = {name: _evaluated(classifier, notes) for name, notes in sets.items()}
    stranger = TokenClassifier(classifier.bundle, unknown=lambda word: split_of(word) == "heldout")
    return figures | {"Blind, third set: generated, with names that no list knows": _evaluated(stranger, third)}


def _annotated(notes: object) -> list[Annotated]:
    return [Annotated(n.text, tuple((s, e, str(c)) for s, e, c in n.spans)) for n in notes]  # type: ignore[attr-defined]


def _evaluated(classifier: TokenClassifier, notes: Sequence[Annotated]) -> Evaluation:
    deidentifier, nobody = Deidentifier(bytes(32), classifier), KnownIdentifiers()
    return evaluate(
        lambda text: [(r.start, r.end) for r in deidentifier.deidentify(text, nobody).replaced], notes
    )[0]


def _facts(out: Path, data: Path, size: Size) -> dict[str, object]:
    weights = load_file(out / "model.safetensors")
    trained = sum(weight.numel() for name, weight in weights.items() if name != "embedding.weight")
    return {
        "version": VERSION,
        "parameters": f"{trained:,}",
        "words": f"{_lines(out / 'words.txt'):,}",
        "lexicon": f"{_lines(out / 'lexicon.txt'):,}",
        "snippets": f"{size.snippets:,}",
        "notes": f"{size.notes:,}",
        "general": len(_general(data)),
    }


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def _bundle() -> Bundle:
    return Bundle(
        name="deidentifier",
        version=VERSION,
        kind="identifiers",
        findings=(),
        input={},
        calibration={},
        baseline={},
        licence=card.LICENCE,
        intended_use=card.INTENDED_USE,
    )


if __name__ == "__main__":
    main()
