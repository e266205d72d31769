"""``python -m training.deid --out models/deidentifier``: a quarter of an hour on one core that does nothing else.

Two minutes of it are the measuring, which ``--measure`` does alone and goes on with where it was broken off.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.bundle import Bundle, write_bundle
from training.deid import card, presidio_research, written
from training.deid.carriers import paragraphs
from training.deid.corpus import DATA
from training.deid.fit import RATE, build, fit
from training.deid.knowledge import lexicon, vectors, write_lexicon
from training.deid.measure import TOLD, Sizes, measured
from training.deid.network import HIDDEN, Network, Shape
from training.deid.widening import widened
from training.deid.writer import Note, Writer

VERSION = "1.7.0"
VECTOR = 64
THRESHOLDS = {"NAME": 0.015, "ADDRESS": 0.02, "FACILITY": 0.015, "DATE": 0.45, "NUMBER": 0.2}
"""By the notes held out and the looked-at notes by hand: for recall, before they take more clinical words."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is written, and how often it is read; each pass writes anew."""

    snippets: int = 32_000
    notes: int = 1_400
    general: int = 2
    """How often the texts of presidio-research stand among them."""
    written: int = 8
    """How often each note written by hand does, every time anew."""
    epochs: int = 5
    passes: int = 1
    rate: float = RATE


MORE = Size(snippets=4_000, notes=200, general=1, written=5, epochs=1, passes=14, rate=RATE / 2)
"""For a network that goes on learning."""
WAY = 0.75
"""How far it then goes from what it was to what it learnt."""
SMOKE = Size(snippets=300, notes=10, written=1, epochs=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.deid", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with notes/ and phi-dev/")
    parser.add_argument(
        "--start", type=Path, help="a bundle whose network goes on learning, more gently and less long"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", action="store_true", help="learn nothing: measure and seal OUT anew")
    parser.add_argument("--smoke", action="store_true", help="a minute's run that shows the way, not a good model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = SMOKE if arguments.smoke else MORE if arguments.start else Size()
    sizes = Sizes(blind=5, seen=5, unknown=5, told=5) if arguments.smoke else Sizes()
    if not arguments.measure:
        learn(arguments.out, arguments.data, size, seed=arguments.seed, start=arguments.start)
    seal(arguments.out, arguments.data, sizes)


def learn(out: Path, data: Path, size: Size, *, seed: int, start: Path | None = None) -> None:
    """The files of the bundle, in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    known, general = lexicon(data), _general(data) * size.general
    words, network = _begun(start) if start else _new(known)
    before = deepcopy(network)
    checkpoint = out / "checkpoint.pt"
    ended: list[dict[str, Tensor]] = []
    for place in range(size.passes):
        by_hand = written.renewed(times=size.written, seed=seed + place)
        notes = [*_made_up(data, size, seed=seed + place), *by_hand, *general]
        fit(
            network,
            words,
            known,
            notes,
            epochs=size.epochs,
            seed=seed + place,
            rate=size.rate,
            checkpoint=checkpoint,
        )
        ended.append({name: weight.clone() for name, weight in network.state_dict().items()})
    checkpoint.unlink()
    network.load_state_dict(_mean(ended[size.passes // 2 :]))
    if start:
        network.load_state_dict(_between(before, network))
    # It learns without these: else any other word would look like a name to it.
    save(out, network, words, lexicon(data, plain=written.plain_words()))


def _new(known: Mapping[str, str]) -> tuple[Sequence[str], Network]:
    words, table = vectors((w for w, digits in known.items() if digits[3:] != "00"), VECTOR)
    return words, build(words, table)


def _begun(start: Path) -> tuple[Sequence[str], Network]:
    """The words of a bundle, and its network as wide as one is now."""
    words = (start / "words.txt").read_text(encoding="utf-8").split()
    network = Network(Shape(**json.loads((start / "config.json").read_text())["shape"]))
    network.load_state_dict({name: w.float() for name, w in load_file(start / "model.safetensors").items()})
    return words, network if network.shape.hidden == HIDDEN else widened(network, HIDDEN)


def _mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Of weights, which does better than any of those that it is of (Izmailov et al. 2018)."""
    return {name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]}


def _between(before: Network, after: Network) -> dict[str, Tensor]:
    """The weights on the way from ``before``: on notes by other hands they do better than those at its end."""
    then = before.state_dict()
    return {name: torch.lerp(then[name], weight, WAY) for name, weight in after.state_dict().items()}


def _made_up(data: Path, size: Size, *, seed: int) -> list[Note]:
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


def seal(out: Path, data: Path, sizes: Sizes) -> str:
    """Measure what lies in ``out`` and write its card; the bundle's SHA-256."""
    write_bundle(out, _bundle(), "")
    figures = measured(out, data, sizes)
    told = {"told": card.told(figures.pop(TOLD))}
    return write_bundle(out, _bundle(), card.card(sets=figures, facts=_facts(out, data) | told))


def _facts(out: Path, data: Path) -> dict[str, object]:
    weights = load_file(out / "model.safetensors")
    trained = sum(weight.numel() for name, weight in weights.items() if name != "embedding.weight")
    return {
        "version": VERSION,
        "parameters": f"{trained:,}",
        "words": f"{_lines(out / 'words.txt'):,}",
        "lexicon": f"{_lines(out / 'lexicon.txt'):,}",
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
