"""Short forms and turns of phrase, as the note model reads them."""

import pytest

from cds.engine.wording import each_alone, spelled_out


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("small b/l pl effs", "small bilateral pl effusions"),
        ("CXR yest w/ LLL infiltrate", "CXR yesterday with LLL infiltrate"),
        ("no effusion w/o PTX", "no effusion w/o PTX"),
        ("Cor is big, C/T ratio increased", "heart is big, CTR increased"),
        ("sub q emphysema improving", "subcutaneous emphysema improving"),
        ("EFFORT tolerance fair", "EFFORT tolerance fair"),
        ("+CM, 2 cm nodule", "cardiomegaly, 2 cm nodule"),
        ("CM stable", "cardiomegaly stable"),
        ("Mild CM. No CM.", "Mild cardiomegaly. No cardiomegaly."),
        *((said, said) for said in ("CM following for discharge", "No CM needs identified", "sural and SPN ok")),
        *((said, said) for said in ("ATX for ADHD", "policy eff 1/1", "infiltr dopamine", "Coumadin M/W/F")),
        *((said, said) for said in ("filtering bleb in the left eye", "haziness over the left cornea")),
        ("ETT TIP 4 CM ABOVE CARINA, MASS 5 CM", "ETT TIP 4 CM ABOVE CARINA, MASS 5 CM"),
        ("stable CM, EF 20%", "stable CM, EF 20%"),
        ("SPN RUL; atx; R effn", "solitary pulmonary nodule RUL; atelectasis; R effusion"),
        ("PNA: cont abx", "PNA: cont antibiotics"),
    ],
)
def test_short_forms_are_written_out(written: str, read: str) -> None:
    assert spelled_out(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("blebs at the apices", "bullae at the apices"),
        ("UIP pattern", "pulmonary fibrosis with UIP pattern"),
        ("basal traction bronchiectasis", "basal pulmonary fibrosis"),
        ("CTR 55%", "CTR increased at 55%"),
        ("vanishing lung", "bullous emphysema"),
        ("discoid opacity", "plate-like atelectasis"),
        ("Lung sliding present bilaterally.", "no pneumothorax."),
        ("lung sliding bilateral on M-mode (seashore sign)", "no pneumothorax (seashore sign)"),
        (
            "Lung sliding present on the left, absent on the right",
            "Lung sliding present on the left, absent on the right",
        ),
        ("pneumo 30%, pneumo vaccine", "pneumothorax 30%, pneumo vaccine"),
        ("CTR > 0.5", "CTR increased"),
        ("CTR is 0.62.", "CTR increased at 0.62."),
        ("CTR < 0.5", "CTR not increased"),
        ("CTR 0.48", "CTR 0.48"),
        ("globular heart", "enlarged globular heart"),
        ("air under the pleura", "pneumothorax"),
        ("no fluid or air in the pleural space", "no fluid or air in the pleural space"),
        ("air and fluid in the pleural space", "air and fluid in the pleural space"),
        ("air meniscus sign", "air meniscus sign"),
    ],
)
def test_a_sign_is_read_by_the_name_that_it_has(written: str, read: str) -> None:
    assert spelled_out(written) == read


SIGNS = (
    "septal lines",
    "blebs",
    "globular heart",
    "air in the pleural space",
    "fluid within the pleural space",
    "pleural collection",
    "hepatization",
    "bat-wing pattern",
    "meniscus sign",
    "ground-glass",
    "SPN",
    "atx",
    "effns",
    "consolid",
    "micronodules",
    "honeycomb cysts",
    "plate-like density",
    "vanishing lung",
    "cephalized flow",
)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(
    "said",
    [
        "No {}.",
        "No evidence of {} or edema.",
        "Negative for {}.",
        "{} is absent.",
        "Without {}, as before.",
        "{} not excluded.",
        "history of {}.",
        "Mother had {}.",
        "no longer {}; otherwise {}",
    ],
)
def test_a_sign_by_another_name_is_denied_doubted_or_past_as_it_was(sign: str, said: str) -> None:
    assert spelled_out(said.format(sign, sign)) == said.format(*[spelled_out(sign)] * 2)


def test_a_denied_pattern_of_a_fibrosis_denies_no_fibrosis() -> None:
    for said in (
        *("Fibrosis without UIP pattern.", "ILD, no UIP.", "Indeterminate for UIP."),
        "Reticulation, no traction bronchiectasis.",
    ):
        assert spelled_out(said) == said


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("There is no evidence of worsening of the known right PTX.", "There is unchanged known right PTX."),
        ("No significant interval change in small effusion", "unchanged small effusion"),
        ("PTX has not resolved.", "PTX persists."),
        ("No new effusion.", "No new effusion."),
        ("No increase in interstitial markings.", "No increase in interstitial markings."),
        ("Heart is not enlarged.", "Heart is not enlarged."),
    ],
)
def test_a_denied_change_denies_no_finding(written: str, read: str) -> None:
    assert spelled_out(written) == read


def test_a_remote_disease_is_history() -> None:
    assert spelled_out("remote PTX") == "history of PTX"
    assert spelled_out("pneumonia as a child") == "pneumonia years ago"
    assert spelled_out("Prior nodule, now gone.") == "Prior nodule has resolved."
    assert spelled_out("remote monitor") == "remote monitor"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("PTX? None seen.", "no PTX."),
        ("Is there an effusion? There is none.", "no effusion."),
        ("Any focal consolidation? No; effusion? Yes, small.", "no focal consolidation; effusion? Yes, small."),
        ("Effusion? No change.", "Effusion? No change."),
        ("Mass? No mass.", "No mass."),
        ("Is there a nodule? No suspicious nodule seen, no mass", "No suspicious nodule seen, no mass"),
        ("Infiltrate? No infiltrate progression.", "Infiltrate? No infiltrate progression."),
        ("RUL mass? No LUL mass.", "RUL mass? No LUL mass."),
        ("Pneumonia? RLL consolidation.", "Pneumonia? RLL consolidation."),
    ],
)
def test_a_question_that_is_answered_by_no_is_a_denial(written: str, read: str) -> None:
    assert spelled_out(written) == read


def test_a_word_that_names_two_findings_is_read_as_each() -> None:
    assert each_alone("Left hydropneumothorax.") == ["Left pneumothorax.", "Left pleural effusion."]
    assert each_alone("Left pneumothorax.") == ["Left pneumothorax."]
