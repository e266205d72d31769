"""The ``cds`` command: serve, worker, demo, db, clients, keys, audit.

Every refusal is one plain sentence and exit code 2; a broken audit chain is exit code 1.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import click

from cds.errors import IntegrityError, SightlineError
from cds.settings import Settings


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
def keys() -> None:
    """Our own secret keys."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Make a fresh set of keys in FILE, readable by you alone."""
    from cds.keys import write_new  # noqa: PLC0415

    write_new(file)
    click.echo(f"{file} holds new keys; name it with CDS_KEYS_FILE.")


@main.group()
def audit() -> None:
    """The audit trail."""


@audit.command()
@click.argument("tenant")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def verify(settings: Settings, tenant: str, as_json: bool) -> None:
    """Check TENANT's chain from its first event to its last."""
    from cds.audit.verify import verify as verify_chain  # noqa: PLC0415
    from cds.databases import reached  # noqa: PLC0415
    from cds.store.database import Database  # noqa: PLC0415

    with (
        reached(settings) as running,
        closing(Database(running.database_url)) as database,
        database.transaction(tenant) as connection,
    ):
        verification = verify_chain(connection, tenant)
    held = {"tenant": tenant, "events": verification.count, "head": verification.head.hex()}
    if verification.broken:
        raise IntegrityError(f"{tenant}: {verification.count} events hold, then {verification.broken}")
    click.echo(json.dumps(held) if as_json else f"{tenant}: {verification.count} events, unbroken")


if __name__ == "__main__":
    main()
