"""``cds models``: add, list, show, activate, evaluate, withdraw."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cds.errors import ModelError
from cds.settings import Settings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def models() -> None:
    """The models that the service uses, and yours."""


@models.command("add")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--name", required=True, help="What the bundle is called.")
@click.option("--licence", required=True, help="Under which licence you have the weights.")
@click.option("--intended-use", required=True, help="What the model is for, in a sentence.")
@click.option("--version", default="1.0.0", show_default=True)
@click.option("--map", "map_file", type=_FILE, help='JSON: {"label of the model": "finding of ours"}.')
@click.option("--labels", "labels_file", type=_FILE, help="One label to a line, in the order of the outputs.")
@click.option(
    "--activation", type=click.Choice(["sigmoid", "softmax", "none"]), help="What the outputs still need."
)
@click.option(
    "--size", type=click.IntRange(32, 2048), help="Height and width, where an ONNX file leaves them open."
)
@click.option("--input", "input_file", type=_FILE, help="JSON: mean, std, fit, contrast … that differ.")
@click.option("--calibration", "calibration_file", type=_FILE, help="JSON: slope and intercept by finding.")
@click.option("--thresholds", "thresholds_file", type=_FILE, help="JSON: high and review by finding.")
@click.option("--untrained", is_flag=True, help="The weights mean nothing: the bundle can never be activated.")
@click.option("--allow-pickle", is_flag=True, help="Open PyTorch files, which can run any program.")
@click.pass_obj
def models_add(
    settings: Settings,
    /,
    path: Path,
    map_file: Path | None,
    labels_file: Path | None,
    input_file: Path | None,
    calibration_file: Path | None,
    thresholds_file: Path | None,
    **said: Any,
) -> None:
    """Make a bundle of PATH: a Hugging Face directory, a DenseNet-121 state dict, or an ONNX file."""
    from cds.models.adding import Wishes, add  # noqa: PLC0415
    from cds.models.labels import read_labels, read_map  # noqa: PLC0415

    wishes = Wishes(
        map=read_map(map_file) if map_file else None,
        labels=read_labels(labels_file) if labels_file else None,
        input=_json_object(input_file),
        calibration=_json_object(calibration_file),
        thresholds=_json_object(thresholds_file),
        **said,
    )
    bundle = add(settings, path, wishes, _note)
    click.echo(f"{bundle.directory} finds {', '.join(bundle.findings)}.")
    click.echo(f"Next: cds models evaluate --bundle {bundle.directory.name} …; cds models activate {wishes.name}")


@models.command("list")
@click.pass_obj
def models_list(settings: Settings) -> None:
    """Name each bundle, its kind and version, and whether it is in use."""
    from cds.engine.active import names_in_use  # noqa: PLC0415
    from cds.engine.bundles import Bundle  # noqa: PLC0415

    used = names_in_use(settings)
    for directory in sorted(file.parent for file in settings.models_dir.glob("[!.]*/bundle.json")):
        try:
            bundle = Bundle.load(directory)
        except ModelError as wrong:
            click.echo(f"{directory.name}\t-\t-\t{wrong}")
            continue
        state = "in use" if used.get(bundle.role) == directory.name else ""
        state = "untrained" if bundle.untrained else state
        click.echo("\t".join((directory.name, bundle.role, bundle.version.version, state)).rstrip())


@models.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The manifest, and the digest that identifies the model.")
@click.pass_obj
def models_show(settings: Settings, name: str, as_json: bool) -> None:
    """Print the card of the bundle NAME."""
    bundle = _bundle(settings, name)
    if as_json:
        click.echo(json.dumps({"digest": bundle.version.digest, **bundle.manifest}, indent=1))
        return
    card = bundle.directory / "card.md"
    click.echo(card.read_text() if card.is_file() else f"{name} has no card.")
    click.echo(f"Digest: sha256:{bundle.version.digest}")


@models.command("activate")
@click.argument("name")
@click.option("--by", default=getpass.getuser, show_default="the user of the system", help="Who chose it.")
@click.pass_obj
def models_activate(settings: Settings, name: str, by: str) -> None:
    """Use the bundle NAME for what it is for, from the next start of the service on. The change is audited."""
    from cds.models.activation import activate  # noqa: PLC0415

    bundle = _bundle(settings, name)
    activate(settings, bundle, by)
    click.echo(f"{name} is the {bundle.role} model from the next start of the service on.")


@models.command("withdraw")
@click.argument("version")
@click.option("--reason", required=True, help="One sentence without patient data; the EHRs keep it.")
@click.option("--tenant", help="Withdraw it for this tenant alone.")
@click.option("--by", default=getpass.getuser, show_default="the user of the system", help="Who decided it.")
@click.option("--dry-run", is_flag=True, help="Only say how many reports it would be.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def models_withdraw(
    context: click.Context, version: str, reason: str, tenant: str | None, by: str, dry_run: bool, yes: bool
) -> None:
    """Recall VERSION, NAME@VERSION or a digest: enter all its reports in error, here and in the EHRs."""
    from cds.audit.trail import party  # noqa: PLC0415
    from cds.databases import opened, reached  # noqa: PLC0415
    from cds.models.withdrawal import Recall, everywhere, known, standing  # noqa: PLC0415

    settings: Settings = context.obj
    with reached(settings) as running, opened(running) as database:
        found = known(database, [tenant] if tenant else database.tenants(), version)
        if dry_run:
            for name, versions in found.items():
                click.echo(f"{name}\t{len(standing(database, name, versions))} reports")
            return
        if not yes:
            click.confirm("Withdraw every report of this model version, for good?", abort=True)
        recall, left = Recall(database, party(settings.base_url), reason, by), 0
        for outcome in recall(found if tenant else everywhere(found)):
            click.echo(f"{outcome.tenant}\t{outcome.withdrawn} reports")
            left += outcome.left
    if left:
        click.echo(f"{left} reports stand: the prescreens that they are of are not kept any more.", err=True)
        context.exit(1)


@models.command("evaluate")
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="PNG, JPEG or DICOM; of CTs a folder each.",
)
@click.option("--labels", type=_FILE, help="CSV: file names in the first column, then one column per finding.")
@click.option("--notes", type=_FILE, help="CSV: a column text, then one column per finding.")
@click.option("--bundle", "name", help="The bundle to evaluate; by default the one in use.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there."
)
@click.option("--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Write a report there.")
@click.pass_context
def models_evaluate(
    context: click.Context,
    images: Path | None,
    labels: Path | None,
    notes: Path | None,
    name: str | None,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Score labelled radiographs, CTs or notes as the service does, and say how well that went."""
    from cds.engine.active import in_use  # noqa: PLC0415
    from cds.models.evaluation import evaluate_images, evaluate_notes, evaluate_series, report  # noqa: PLC0415

    settings: Settings = context.obj
    if bool(images) == bool(notes) or bool(images) != bool(labels):
        raise ModelError("give either --images with --labels, or --notes")
    report.check(json_file, html_file)
    bundle = _bundle(settings, name) if name else in_use(settings, "image" if images else "note")
    if images and labels:
        evaluate = evaluate_series if bundle.of_ct else evaluate_images
        evaluation = evaluate(settings, bundle, images, labels, _note)
    elif notes:
        evaluation = evaluate_notes(settings, bundle, notes, _note)
    click.echo(report.as_text(evaluation))
    report.write(evaluation, json_file, html_file)
    if evaluation.left_out:
        context.exit(1)


def _bundle(settings: Settings, name: str) -> Any:
    from cds.engine.bundles import Bundle  # noqa: PLC0415

    if Path(name).name != name:
        raise ModelError("name a bundle by its directory in CDS_MODELS_DIR, without a path")
    if not (settings.models_dir / name).is_dir():
        raise ModelError(f"there is no bundle {name} in {settings.models_dir}; `cds models list` names all")
    return Bundle.load(settings.models_dir / name)


def _json_object(file: Path | None) -> Mapping[str, Any] | None:
    if file is None:
        return None
    try:
        value = json.loads(file.read_text())
    except (OSError, ValueError) as wrong:
        raise ModelError(f"{file} is no JSON file that can be read: {wrong}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{file} must hold one JSON object")
    return value


def _note(line: str) -> None:
    click.echo(line, err=True)
