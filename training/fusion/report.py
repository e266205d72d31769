"""The figures of a fusion bundle, as its card and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cds.findings import FINDINGS, ModelVersion
from training.fusion import venn_abers
from training.fusion.coverage import SEED, Covered
from training.fusion.figures import Figure, ahead, balanced, by_finding, mean, measured
from training.fusion.fitting import Fitted
from training.fusion.pairs import ASSUMED, DRAWS, OTHERWISE, Array, Assumption, Pairs, Scored, paired
from training.fusion.sealing import VERSION
from training.fusion.venn_abers import Steps
from training.measure import auroc, expected_calibration_error

CARD = Path(__file__).with_name("card.md")
KEYS = tuple(FINDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Films and notes that nothing was fitted on."""

    films: Scored
    generated: Scored
    by_hand: Scored

    def pairs(self, notes: Scored, assumed: Assumption = ASSUMED) -> Pairs:
        return paired(self.films, notes, assumed, draws=DRAWS, seed=SEED)


def as_json(fitted: Fitted, held: Held, coverage: Mapping[str, Covered]) -> dict[str, Any]:
    """Every figure of the card; those with an interval as value, low and high end."""
    pairs = held.pairs(held.generated)
    return {
        "assumed": asdict(ASSUMED),
        "common_weights": fitted.stack.common.tolist(),
        "prior": fitted.stack.prior,
        "sets": dict(_sets(fitted, held)),
        "auroc_by_finding": {
            by: dict(zip(KEYS, by_finding(auroc, scores, pairs.labels), strict=True))
            for by, scores in _scores(fitted, pairs).items()
        },
        "auroc_gain_over_image": ahead(fitted.fused(pairs), pairs.image, pairs),
        "auroc_gain_over_note": ahead(fitted.fused(pairs), pairs.note, pairs),
        "otherwise": {str(assumed): _otherwise(fitted, held, assumed) for assumed in OTHERWISE},
        "prediction_sets": _prediction_sets(fitted, pairs),
        "intervals": {parts: interval_figures(*row) for parts, row in _with_steps(fitted, held).items()},
        "coverage_in_turns": coverage,
    }


def card(fitted: Fitted, held: Held, figures: Mapping[str, Any], models: Sequence[ModelVersion]) -> str:
    """``figures``: those of :func:`as_json`."""
    pairs = held.pairs(held.generated)
    image, note, intercept = fitted.stack.common
    spread = np.ptp(fitted.stack.weights, axis=0)
    turns = figures["coverage_in_turns"]
    return CARD.read_text().format(
        version=VERSION,
        models=" and ".join(f"{model.name} {model.version}" for model in models),
        image=f"{image:.2f}",
        note=f"{note:.2f}",
        intercept=f"{intercept:.2f}",
        spread=", ".join(f"{one:.2f}" for one in spread),
        prior=f"{fitted.stack.prior:.0f}",
        sensitivity=f"{ASSUMED.sensitivity:.2f}",
        specificity=f"{ASSUMED.specificity:.2f}",
        films=fitted.films,
        notes=fitted.notes,
        draws=DRAWS,
        test_films=len(held.films),
        test_patients=len(np.unique(held.films.patients)),
        by_hand=len(held.by_hand),
        sets_table="\n".join(_set_rows(figures["sets"])),
        finding_table="\n".join(_finding_rows(fitted, pairs)),
        otherwise_table="\n".join(_otherwise_rows(fitted, held)),
        errors=", ".join(f"{parts} {errors:g}" for parts, errors in fitted.errors.items()),
        interval_table="\n".join(_interval_rows(figures["intervals"])),
        coverage_table="\n".join(_coverage_rows(turns)),
        groups=turns["image"].groups,
        gain=_with_interval(figures["auroc_gain_over_image"]),
        gain_over_note=_with_interval(figures["auroc_gain_over_note"]),
        **{name: f"{value:.3f}" for name, value in figures["prediction_sets"].items()},
    )


def _with_interval(figure: Figure, digits: int = 3) -> str:
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def _scores(fitted: Fitted, pairs: Pairs) -> dict[str, Array]:
    return {"image": pairs.image, "note": pairs.note, "fused": fitted.fused(pairs)}


def _sets(fitted: Fitted, held: Held) -> Iterator[tuple[str, dict[str, dict[str, Figure]]]]:
    """Of each set of films the figures by scorer; with a part missing, fused is the other."""
    pairs = held.pairs(held.generated)
    yield "all, both parts", _measured(_scores(fitted, pairs), pairs)
    yield "image missing", _measured({"note": pairs.note, "fused": pairs.note}, pairs)
    yield "note missing", _measured({"image": pairs.image, "fused": pairs.image}, pairs)
    even = balanced(pairs, seed=SEED)
    yield "prior-balanced", _measured(_scores(fitted, even), even)
    written = held.pairs(held.by_hand)
    yield "all, notes by hand", _measured(_scores(fitted, written), written)


def _measured(scores: Mapping[str, Array], pairs: Pairs) -> dict[str, dict[str, Figure]]:
    return {by: measured(one, pairs) for by, one in scores.items()}


def _set_rows(sets: Mapping[str, Mapping[str, Mapping[str, Figure]]]) -> Iterator[str]:
    yield (
        "| films | by | AUROC | AUPRC | ECE | sensitivity at 90 % specificity | at 95 % "
        "| net benefit at 0.10 | at 0.35 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, rows in sets.items():
        for by, figures in rows.items():
            cells = (_with_interval(f, 1 if of.startswith("net") else 3) for of, f in figures.items())
            yield f"| {name} | {by} | {' | '.join(cells)} |"


def _finding_rows(fitted: Fitted, pairs: Pairs) -> Iterator[str]:
    yield "| finding | positive / films | weights: image, note, intercept | AUROC image | note | fused |"
    yield "|---|---|---|---|---|---|"
    areas = [by_finding(auroc, scores, pairs.labels) for scores in _scores(fitted, pairs).values()]
    films = pairs.labels[:: pairs.draws]
    for k, key in enumerate(KEYS):
        weights = ", ".join(f"{one:.2f}" for one in fitted.stack.weights[k])
        cells = " | ".join(f"{area[k]:.3f}" for area in areas)
        yield f"| {key} | {int(films[:, k].sum())} / {len(films)} | {weights} | {cells} |"


def _otherwise(fitted: Fitted, held: Held, assumed: Assumption) -> dict[str, float]:
    pairs = held.pairs(held.generated, assumed)
    return {by: mean(auroc, scores, pairs.labels) for by, scores in _scores(fitted, pairs).items()} | {
        "ece": mean(expected_calibration_error, fitted.fused(pairs), pairs.labels)
    }


def _otherwise_rows(fitted: Fitted, held: Held) -> Iterator[str]:
    yield "| sensitivity / specificity of the notes | mean AUROC image | note | fused | ECE fused |"
    yield "|---|---|---|---|---|"
    for assumed in (ASSUMED, *OTHERWISE):
        cells = " | ".join(f"{one:.3f}" for one in _otherwise(fitted, held, assumed).values())
        yield f"| {assumed} | {cells} |"


def _prediction_sets(fitted: Fitted, pairs: Pairs) -> dict[str, float]:
    """Shares of all rows and findings together, each coverage among those of its true label."""
    present, absent = fitted.sets.holds(fitted.fused(pairs))
    there = pairs.labels == 1
    return {
        "covered_present": float(present[there].mean()),
        "covered_absent": float(absent[~there].mean()),
        "covered": float(np.where(there, present, absent).mean()),
        "undecided": float((present * absent).mean()),
    }


def _with_steps(fitted: Fitted, held: Held) -> dict[str, tuple[Array, Array, Sequence[Steps]]]:
    """By parts: scores and labels of films or notes, each once, and the intervals that belong to them."""
    pairs = held.pairs(held.generated)
    first = slice(None, None, pairs.draws)
    return {
        "both": (fitted.fused(pairs)[first], pairs.labels[first], fitted.steps["both"]),
        "image": (held.films.probabilities, held.films.labels, fitted.steps["image"]),
        "note": (held.generated.probabilities, held.generated.labels, fitted.steps["note"]),
    }


def interval_figures(scores: Array, labels: Array, steps: Sequence[Steps]) -> dict[str, float]:
    """Width, and in how many of the groups of like score as many are present as told."""
    low, high = venn_abers.ends(scores, steps)
    width, within = (high - low)[~np.isnan(labels)], venn_abers.covered(scores, labels, steps)
    return {
        "median_width": float(np.median(width)),
        "mean_width": float(width.mean()),
        "groups": len(within),
        "covered": float(np.mean(within)),
    }


def _interval_rows(figures: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield "| rests on | median width | mean width | groups of like score | covered |"
    yield "|---|---|---|---|---|"
    for parts, f in figures.items():
        cells = f"{f['median_width']:.3f} | {f['mean_width']:.3f} | {f['groups']:.0f} | {f['covered']:.3f}"
        yield f"| {parts} | {cells} |"


def _coverage_rows(coverage: Mapping[str, Covered]) -> Iterator[str]:
    yield "| rests on, and sensitivity / specificity of the notes | covered | of one half's |"
    yield "|---|---|---|"
    for by, one in coverage.items():
        yield f"| {by} | {one.share:.3f} | {one.lowest:.3f} to {one.highest:.3f} |"
