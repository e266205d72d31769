"""What may stand in a sandbox and never in a hospital: production refuses to start with any of it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cds.errors import ConfigurationError
from cds.keys import Keys
from cds.registration import Registration, Registrations
from cds.settings import Settings

SANDBOX_TENANT = "sandbox"


def checked(settings: Settings) -> tuple[Keys, Registrations]:
    """Our keys and the EHRs that we know; raises :class:`ConfigurationError` where we must not start with them."""
    keys = Keys.load(settings)
    registrations = Registrations.from_settings(settings)
    refuse_unsafe(settings, keys, registrations)
    for registration in registrations:
        if registration.client_secret_variable:
            registration.client_secret()
    return keys, registrations


def refuse_unsafe(settings: Settings, keys: Keys, registrations: Registrations) -> None:
    """Raise :class:`ConfigurationError` listing every development shortcut that is still there."""
    if not settings.production:
        return
    faults = [*_settings_faults(settings), *_key_faults(keys)]
    for registration in registrations:
        faults += _registration_faults(registration)
    if faults:
        raise ConfigurationError("CDS_ENV=production refuses to start: " + "; ".join(faults))


def _settings_faults(settings: Settings) -> Iterator[str]:
    if not settings.database_url:
        yield "CDS_DATABASE_URL is not set (an embedded database is for development)"
    for name, url in (
        ("CDS_DATABASE_URL", settings.database_url),
        ("CDS_DATABASE_ADMIN_URL", settings.database_admin_url),
    ):
        if url and not _database_is_safe(url):
            yield f"{name} leads to another machine without sslmode=verify-full"
    if not settings.redis_url:
        yield "CDS_REDIS_URL is not set (an embedded Valkey is for development)"
    elif not _valkey_is_safe(settings.redis_url):
        yield "CDS_REDIS_URL leads to another machine without TLS (rediss://)"
    if not settings.registrations_file:
        yield "CDS_REGISTRATIONS_FILE is not set"
    if not settings.public_url.startswith("https://"):
        yield "CDS_PUBLIC_URL must be an https URL"
    if not all(url.startswith("https://") or _is_loopback(url) for url in settings.engine_addresses):
        yield "CDS_ENGINE_URLS leads to another machine without TLS"
    if settings.sandbox_pacs_url:
        yield "CDS_SANDBOX_PACS_URL is set"


def _key_faults(keys: Keys) -> Iterator[str]:
    if keys.development:
        yield "CDS_KEYS_FILE holds development keys"


def _registration_faults(registration: Registration) -> Iterator[str]:
    if registration.tenant == SANDBOX_TENANT or any(_is_loopback(url) for url in registration.urls):
        yield f"registration {registration.issuer} is the sandbox's"
    for url in (registration.issuer, *registration.urls, *registration.origins):
        if not url.startswith("https://"):
            yield f"registration {registration.issuer} names an address without TLS"
            return


def _database_is_safe(url: str) -> bool:
    """Whether what goes there stays on this machine, or is encrypted for a server whose name is checked."""
    try:
        named = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return False
    hosts = str(named.get("host") or named.get("hostaddr") or "").split(",")
    return named.get("sslmode") == "verify-full" or all(
        not host or host.startswith(("/", "@")) or _is_here(host) for host in hosts
    )


def _valkey_is_safe(url: str) -> bool:
    return urlsplit(url).scheme in ("rediss", "unix") or _is_loopback(url)


def _is_loopback(url: str) -> bool:
    return _is_here(urlsplit(url).hostname or "")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
