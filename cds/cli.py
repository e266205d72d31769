"""The ``cds`` command: all that an operator does with the service.

Every refusal is one plain sentence and exit code 2; a broken audit chain is exit code 1.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import click

from cds.errors import IntegrityError, SightlineError
from cds.maintenance.commands import outbox, patient, purge
from cds.models.commands import models
from cds.settings import Settings

SIGNING_ADDED = "New signing keys are there: restart the service within the day; it signs with them after a day."


class _Group(click.Group):
    """Turns our exceptions into a sentence, and Ctrl-C or SIGTERM into a clean end."""

    def invoke(self, ctx: click.Context) -> Any:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        try:
            return super().invoke(ctx)
        except IntegrityError as broken:
            click.echo(f"cds: {broken}", err=True)
            sys.exit(1)
        except SightlineError as error:
            click.echo(f"cds: {error}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            sys.exit(0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _FileOrCommand(click.Group):
    """A group whose first word may be a file instead of a command: it is then the command ``file``'s."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["file", *args])


@click.group(cls=_Group)
@click.pass_context
def main(context: click.Context) -> None:
    """Sightline: imaging decision support at the moment of ordering. Settings are CDS_* environment variables."""
    context.obj = Settings.from_environment()


@main.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Run the service. Without CDS_DATABASE_URL: with embedded databases, migrations and the worker."""
    from cds.databases import databases, upgrade  # noqa: PLC0415
    from cds.processes import Processes  # noqa: PLC0415
    from cds.production import checked  # noqa: PLC0415
    from cds.serving import (  # noqa: PLC0415
        GUNICORN,
        environment,
        logs,
        python,
        start_web,
        start_worker,
        wait_for_web,
    )

    checked(settings)
    if settings.production:
        os.execve(sys.executable, python(*GUNICORN), environment(settings))  # noqa: S606 (gunicorn is pid 1)
    with databases(settings) as running, Processes(logs(settings)) as processes:
        upgrade(running)
        web = start_web(processes, running)
        start_worker(processes, running)
        wait_for_web(processes, web, running)
        click.echo(f"Sightline answers at {running.base_url}/cds-services. Ctrl-C stops it.")
        processes.watch()


@main.command()
@click.pass_obj
def engine(settings: Settings) -> None:
    """Run the models for the services of this machine; the web server starts it by itself."""
    from cds.inference.process import run  # noqa: PLC0415
    from cds.logs import configure  # noqa: PLC0415

    configure(settings.log_level)
    run(settings)


@main.command()
@click.pass_obj
def worker(settings: Settings) -> None:
    """Deliver what is in the outbox, until told to stop."""
    from cds.databases import reached  # noqa: PLC0415
    from cds.worker.service import run  # noqa: PLC0415

    with reached(settings) as running:
        run(running)


@main.command()
@click.option("--once", is_flag=True, help="Do the job and exit.")
@click.option("--images", type=click.Path(path_type=Path), help="A folder of radiographs: PNG, JPEG or DICOM.")
@click.option("--bundle", type=click.Path(path_type=Path), multiple=True, help="A FHIR transaction bundle.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write what happened here.")
@click.pass_obj
def demo(
    settings: Settings, once: bool, images: Path | None, bundle: tuple[Path, ...], json_file: Path | None
) -> None:
    """Play the main job: an EHR signs an order for each sample patient."""
    from cds.demo import Demo  # noqa: PLC0415

    Demo(settings, images=images, bundles=bundle, say=click.echo).run(once=once, json_file=json_file)


@main.group(cls=_FileOrCommand, context_settings={"ignore_unknown_options": True})
def deid() -> None:
    """Take identifiers out of notes: cds deid FILE (- for standard input)."""


@deid.command("file")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--patient", type=click.File(encoding="utf-8"), help="FHIR JSON: a Patient, or a Bundle with one.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the report here.")
@click.pass_obj
def deid_file(settings: Settings, file: TextIO, patient: TextIO | None, json_file: Path | None) -> None:
    """Print the text of FILE without identifiers; the report goes to standard error."""
    from cds.deid import deidentified, report  # noqa: PLC0415

    result = deidentified(settings, file, patient)
    counts = report(result)
    click.echo(result.text, nl=False)
    listed = ", ".join(f"{category} {n}" for category, n in counts["categories"].items())
    click.echo(f"{counts['replaced']} identifiers replaced{': ' if listed else ''}{listed}", err=True)
    if json_file:
        json_file.write_text(json.dumps(counts, indent=1) + "\n")


@deid.command("evaluate")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.pass_obj
def deid_evaluate(settings: Settings, file: TextIO, json_file: Path | None) -> None:
    """Measure on annotated notes in JSON lines: text, and spans of start, end, type."""
    from cds.deid import evaluated, table  # noqa: PLC0415

    evaluation = evaluated(settings, file)
    for line in table(evaluation):
        click.echo(line)
    if json_file:
        json_file.write_text(json.dumps(evaluation.as_json(), indent=1) + "\n")


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@click.pass_obj
def db_upgrade(settings: Settings) -> None:
    """Bring the schema up to date, as the owner (CDS_DATABASE_ADMIN_URL)."""
    from cds.databases import reached, upgrade  # noqa: PLC0415

    with reached(settings) as running:
        for name in upgrade(running) or ["nothing to do"]:
            click.echo(name)


@main.group()
def clients() -> None:
    """The EHRs that may call us (CDS_REGISTRATIONS_FILE). A change holds from the next start of the service."""


@clients.command("list")
@click.pass_obj
def clients_list(settings: Settings) -> None:
    """Name each EHR, its tenant and its FHIR servers."""
    from cds.clients import file_of, listed  # noqa: PLC0415

    for client in listed(file_of(settings)):
        click.echo(f"{client.issuer}\t{client.tenant}\t{' '.join(client.fhir_servers)}")


@clients.command("add")
@click.argument("file", type=click.File())
@click.pass_obj
def clients_add(settings: Settings, file: TextIO) -> None:
    """Register the EHR that FILE describes in JSON (- for standard input)."""
    from cds.clients import add, entry_from, file_of  # noqa: PLC0415

    client = add(file_of(settings), entry_from(file))
    click.echo(f"{client.issuer} is registered for {client.tenant}; restart the service to let it in.")


@clients.command("remove")
@click.argument("issuer")
@click.pass_obj
def clients_remove(settings: Settings, issuer: str) -> None:
    """Forget the EHR ISSUER."""
    from cds.clients import file_of, remove  # noqa: PLC0415

    remove(file_of(settings), issuer)
    click.echo(f"{issuer} is no longer registered; restart the service to shut it out.")


@main.group()
def feedback() -> None:
    """What became of our cards."""


@feedback.command()
@click.argument("tenant", required=False)
@click.option("--since", help="Count the cards given since this day (UTC), such as 2026-11-22.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def report(settings: Settings, tenant: str | None, since: str | None, as_json: bool) -> None:
    """Count what became of cards, by topic and model version; of TENANT, else of every registered one."""
    from cds.databases import opened, reached  # noqa: PLC0415
    from cds.hooks import feedback_report  # noqa: PLC0415
    from cds.store import migrate  # noqa: PLC0415

    first_day, tenants = feedback_report.day(since), feedback_report.tenants(settings, tenant)
    with reached(settings) as running, opened(running) as database:
        migrate.check(running.database_url)
        lines = [line for name in tenants for line in feedback_report.read(database, name, first_day)]
    click.echo(json.dumps([line.as_json() for line in lines]) if as_json else feedback_report.table(lines))


@main.group()
def keys() -> None:
    """Our own secret keys."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Make a fresh set of keys in FILE, readable by you alone."""
    from cds.keys import write_new  # noqa: PLC0415

    write_new(file)
    click.echo(f"{file} holds new keys; name it with CDS_KEYS_FILE.")


@keys.command()
@click.option("--wrap-only", is_flag=True, help="Only wrap the tenants' keys by the first master key.")
@click.pass_obj
def rotate(settings: Settings, wrap_only: bool) -> None:
    """Replace the keys that sign and those that seal, and seal every row anew, while the service runs."""
    from cds.databases import master_of, owned, reached  # noqa: PLC0415
    from cds.keys import add_signing, file_of  # noqa: PLC0415
    from cds.store import rotation  # noqa: PLC0415

    with reached(settings) as running, owned(running) as owner:
        if wrap_only:
            rotation.rewrap(owner, master_of(running))
        else:
            rotation.rotate(owner, master_of(running), click.echo)
            add_signing(file_of(running), time.time())
            click.echo(SIGNING_ADDED)


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def signing(file: Path) -> None:
    """Put new signing keys before those in FILE, the part of `cds keys rotate` that needs no database."""
    from cds.keys import add_signing  # noqa: PLC0415

    add_signing(file, time.time())
    click.echo(SIGNING_ADDED)


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def master(file: Path) -> None:
    """Put a new master key before those in FILE; then restart the service and run `cds keys rotate`."""
    from cds.keys import add_master  # noqa: PLC0415

    add_master(file)
    click.echo(f"{file} holds a new master key; restart the service, then run cds keys rotate.")


@main.group()
def audit() -> None:
    """The audit trail."""


@audit.command()
@click.argument("tenant", required=False)
@click.option("--since-checkpoint", is_flag=True, help="Only what was added since the last signed checkpoint.")
@click.option("--checkpoint", help="A checkpoint kept elsewhere, such as one from the worker's log.")
@click.option("--export", "file", type=click.Path(path_type=Path), help="Check this export; needs no database.")
@click.option("--jwks", type=click.File(), help="The public keys of the service that signed, if not ours.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def verify(
    settings: Settings,
    tenant: str | None,
    since_checkpoint: bool,
    checkpoint: str | None,
    file: Path | None,
    jwks: TextIO | None,
    as_json: bool,
) -> None:
    """Check TENANT's chain, or an export of one, from its first event to its last."""
    from cds.audit.checkpoint import trusted  # noqa: PLC0415
    from cds.audit.export import verify_file  # noqa: PLC0415
    from cds.audit.verify import verify as verify_chain  # noqa: PLC0415
    from cds.databases import opened, reached  # noqa: PLC0415
    from cds.keys import Keys, read_jwks  # noqa: PLC0415

    signing = read_jwks(jwks) if jwks else Keys.load(settings).signing.all
    if file:
        tenant, verification = verify_file(file, signing)
    elif tenant:
        with (
            reached(settings) as running,
            opened(running) as database,
            database.transaction(tenant) as connection,
        ):
            elsewhere = [checkpoint] if checkpoint else []
            trust = trusted(connection, tenant, signing, since_last=since_checkpoint, elsewhere=elsewhere)
            verification = verify_chain(connection, tenant, trust)
    else:
        raise click.UsageError("name a TENANT or an --export")
    held = {"tenant": tenant, "events": verification.count, "head": verification.head.hex()}
    if verification.broken:
        raise IntegrityError(f"{tenant}: {verification.count} events hold, then {verification.broken}")
    since = f" (looked at from {verification.start + 1})" if verification.start else ""
    click.echo(json.dumps(held) if as_json else f"{tenant}: {verification.count} events, unbroken{since}")


@audit.command()
@click.argument("tenant", required=False)
@click.pass_obj
def checkpoint(settings: Settings, tenant: str | None) -> None:
    """Check and sign what TENANT's chain is now (without TENANT: each one's), and print what was signed."""
    from cds.audit.checkpoint import make_all  # noqa: PLC0415
    from cds.databases import opened, reached  # noqa: PLC0415
    from cds.keys import Keys  # noqa: PLC0415

    with reached(settings) as running, opened(running) as database:
        tenants = [tenant] if tenant else database.tenants()
        for name, signed in make_all(database, Keys.load(settings).signing.all, tenants):
            click.echo(f"{name}\t{signed or 'nothing new'}")


@audit.command()
@click.argument("tenant", required=False)
@click.pass_obj
def feed(settings: Settings, tenant: str | None) -> None:
    """Show what waits to be forwarded to CDS_AUDIT_REPOSITORY_URL, of TENANT or of every tenant."""
    from cds.databases import opened, reached  # noqa: PLC0415
    from cds.store.audit_feed import feeds  # noqa: PLC0415

    with reached(settings) as running, opened(running) as database:
        for name in [tenant] if tenant else database.tenants():
            with database.transaction(name) as connection:
                shown = feeds(connection, name)
            for held in shown:
                last = f"{held.forwarded_at:%Y-%m-%d %H:%M}" if held.forwarded_at else "never"
                said = f"{held.attempts} tries\t{held.last_error}" if held.last_error else "-"
                click.echo(f"{name}\t{held.repository}\t{held.waiting} waiting\tlast {last}\t{said}")


@audit.command()
@click.argument("tenant")
@click.argument("file", type=click.File("w"))
@click.pass_obj
def export(settings: Settings, tenant: str, file: TextIO) -> None:
    """Write TENANT's chain to FILE (NDJSON, - for standard output), as it verifies without the database."""
    from cds.audit.export import export as export_chain  # noqa: PLC0415
    from cds.audit.trail import party  # noqa: PLC0415
    from cds.databases import opened, reached  # noqa: PLC0415
    from cds.keys import Keys  # noqa: PLC0415

    with (
        reached(settings) as running,
        opened(running) as database,
        database.transaction(tenant) as connection,
    ):
        count = export_chain(connection, tenant, Keys.load(settings).signing.all, party(settings.base_url), file)
    click.echo(f"{count} events", err=True)


main.add_command(outbox)
main.add_command(purge)
main.add_command(patient)


main.add_command(models)


if __name__ == "__main__":
    main()
