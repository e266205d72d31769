"""``cds outbox``, ``cds purge`` and ``cds patient``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import click

from cds.audit.trail import party
from cds.databases import opened, owned, reached
from cds.errors import Unknown
from cds.keys import Keys
from cds.maintenance import patient as of_patient
from cds.maintenance import purge as purging
from cds.maintenance.patient import Whose
from cds.maintenance.purge import Policy
from cds.registration import Registrations
from cds.settings import Settings
from cds.store import outbox as deliveries
from cds.store.database import Database


@click.group()
def outbox() -> None:
    """What is to be delivered to the EHRs."""


@outbox.command("list")
@click.argument("tenant", required=False)
@click.option("--waiting", is_flag=True, help="Those that are still to be made, instead of those given up.")
@click.pass_obj
def outbox_list(settings: Settings, tenant: str | None, waiting: bool) -> None:
    """Name the deliveries that were given up, of TENANT or of every tenant."""
    of = deliveries.waiting if waiting else deliveries.dead
    with _database(settings) as database:
        for name in [tenant] if tenant else database.tenants():
            with database.transaction(name) as connection:
                letters = of(connection, name)
            for letter in letters:
                said = letter.last_error or "-"
                click.echo(
                    f"{name}\t{letter.id}\t{letter.kind}\t{letter.destination}"
                    f"\t{letter.created_at:%Y-%m-%d %H:%M}\t{letter.attempts} tries\t{said}"
                )


@outbox.command("retry")
@click.argument("tenant")
@click.argument("ids", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every delivery of TENANT that was given up.")
@click.pass_obj
def outbox_retry(settings: Settings, tenant: str, ids: tuple[int, ...], everything: bool) -> None:
    """Take up deliveries of TENANT again that were given up, by the IDS that `cds outbox list` shows."""
    if bool(ids) == everything:
        raise click.UsageError("name IDS, or --all")
    with _database(settings) as database, database.transaction(tenant) as connection:
        wanted = ids or [letter.id for letter in deliveries.dead(connection, tenant)]
        for id in wanted:
            if not deliveries.retry(connection, tenant, id):
                raise Unknown(f"{tenant} has no delivery {id} that was given up")
    click.echo(f"{len(wanted)} taken up again")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say how much it would be.")
@click.pass_obj
def purge(settings: Settings, dry_run: bool) -> None:
    """Remove what is kept longer than the CDS_KEEP_… settings say."""
    policy, forwarded = Policy.from_settings(settings), Registrations.from_settings(settings).audit_repositories
    with reached(settings) as running, owned(running) as owner:
        keys, us = Keys.load(settings).signing.all, party(settings.base_url)
        for tenant in owner.tenants():
            its = replace(policy, forwarded_to=forwarded[tenant].url) if tenant in forwarded else policy
            counts = purging.over(owner, tenant, its) if dry_run else purging.purge(owner, tenant, its, keys, us)
            click.echo(f"{tenant}\t{_said(counts)}")


@click.group()
def patient() -> None:
    """All that is kept of one patient: TENANT, the EHR's FHIR_SERVER, and the id of the Patient there."""


@patient.command("export")
@click.argument("tenant")
@click.argument("fhir_server")
@click.argument("patient_id")
@click.argument("file", type=click.File("wb"))
@click.pass_obj
def patient_export(settings: Settings, tenant: str, fhir_server: str, patient_id: str, file: BinaryIO) -> None:
    """Write it to FILE, a JSON object a line."""
    whose = Whose(tenant, fhir_server.rstrip("/"), f"Patient/{patient_id}")
    with _database(settings) as database, database.transaction(tenant) as connection:
        counts = of_patient.export(connection, whose, party(settings.base_url), file)
    click.echo(_said(counts), err=True)


@patient.command("delete")
@click.argument("tenant")
@click.argument("fhir_server")
@click.argument("patient_id")
@click.confirmation_option(prompt="Remove all that is kept of this patient?")
@click.pass_obj
def patient_delete(settings: Settings, tenant: str, fhir_server: str, patient_id: str) -> None:
    """Remove it, the audit trail excepted."""
    whose = Whose(tenant, fhir_server.rstrip("/"), f"Patient/{patient_id}")
    with reached(settings) as running, owned(running) as owner, owner.transaction(tenant) as connection:
        counts = of_patient.delete(connection, whose, party(settings.base_url))
    click.echo(_said(counts))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    with reached(settings) as running, opened(running) as database:
        yield database


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"
