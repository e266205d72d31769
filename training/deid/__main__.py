"""``python -m training.deid --out models/deidentifier``: about ten minutes on one core."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from cds.engine.bundles import Bundle as Loaded
from cds.notes.deidentification import Deidentifier, KnownIdentifiers, TokenClassifier
from cds.notes.deidentification.evaluation import Annotated, Evaluation, evaluate
from cds.notes.deidentification.network import Network
from training.bundle import Bundle, write_bundle
from training.deid import card, handwritten, presidio_research
from training.deid.carriers import paragraphs
from training.deid.corpus import DATA, corpus
from training.deid.fit import build, fit
from training.deid.knowledge import lexicon, vectors, write_lexicon
from training.deid.lists import split_of
from training.deid.writer import Note, Writer

VERSION = "1.0.0"
VECTOR = 64
THRESHOLDS = {"NAME": 0.35, "ADDRESS": 0.45, "FACILITY": 0.45, "DATE": 0.9, "NUMBER": 0.9}
"""By hand: on notes from the training's own templates far lower ones would do, and on others take clinical words."""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Size:
    """How much is written, and how often it is read."""

    snippets: int = 11_000
    notes: int = 600
    heldout: int = 500
    epochs: int = 5


SMOKE = Size(snippets=300, notes=10, heldout=5, epochs=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.deid", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with notes/ and phi-dev/")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a minute's run that shows the way, not a good model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(arguments.out, arguments.data, SMOKE if arguments.smoke else Size(), seed=arguments.seed)


def train(out: Path, data: Path, size: Size, *, seed: int) -> str:
    """Write, learn, measure, seal; the bundle's SHA-256."""
    out.mkdir(parents=True, exist_ok=True)
    general = _general(data)
    notes = [*_written(data, size, seed=seed), *general * 2]
    known = lexicon(data)
    words, table = vectors((w for w, digits in known.items() if digits[3:] != "00"), VECTOR)
    network = build(words, table)
    fit(network, words, known, notes, epochs=size.epochs, seed=seed, checkpoint=out / "checkpoint.pt")
    (out / "checkpoint.pt").unlink()
    save(out, network, words, known)
    return seal(out, data, size, facts=_facts(network, words, known, size, len(general)))


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
    """The files of the bundle, its card yet to be written."""
    save_file({name: w.half().contiguous() for name, w in network.state_dict().items()}, out / "model.safetensors")
    (out / "words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    write_lexicon(out / "lexicon.txt", known)
    config = {"shape": asdict(network.shape), "thresholds": THRESHOLDS}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    write_bundle(out, _bundle(), "")


def seal(out: Path, data: Path, size: Size, *, facts: Mapping[str, object]) -> str:
    figures = measured(TokenClassifier(Loaded.load(out)), data, size)
    return write_bundle(out, _bundle(), card.card(sets=figures, facts=facts))


def measured(classifier: TokenClassifier, data: Path, size: Size) -> dict[str, Evaluation]:
    """On notes that neither training nor thresholds have seen."""
    generated = _annotated(corpus(data, "heldout", size.heldout, seed=1))
    general = presidio_research.notes(data / "phi-dev" / "presidio_research_2109.json")
    sets = {
        "Written by hand": _annotated(handwritten.notes()),
        "Generated from other templates, names and real sentences": generated,
        "presidio-research, its second file": _annotated(note for _, note in general),
    }
    figures = {name: _evaluated(classifier, notes) for name, notes in sets.items()}
    stranger = TokenClassifier(classifier.bundle, unknown=lambda word: split_of(word) == "heldout")
    return figures | {"Generated, with names that no list knows": _evaluated(stranger, generated)}


def _annotated(notes: object) -> list[Annotated]:
    return [Annotated(n.text, tuple((s, e, str(c)) for s, e, c in n.spans)) for n in notes]  # type: ignore[attr-defined]


def _evaluated(classifier: TokenClassifier, notes: Sequence[Annotated]) -> Evaluation:
    deidentifier, nobody = Deidentifier(bytes(32), classifier), KnownIdentifiers()
    return evaluate(
        lambda text: [(r.start, r.end) for r in deidentifier.deidentify(text, nobody).replaced], notes
    )[0]


def _facts(
    network: Network, words: Sequence[str], known: Mapping[str, str], size: Size, general: int
) -> dict[str, object]:
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {
        "version": VERSION,
        "parameters": f"{trained:,}",
        "words": f"{len(words):,}",
        "lexicon": f"{len(known):,}",
        "snippets": f"{size.snippets:,}",
        "notes": size.notes,
        "general": general,
    }


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
