"""Every setting, typed, from the environment, in one place.

A field ``name`` is read from ``CDS_NAME``. ``deploy/sightline.env`` explains each; a test holds the two together.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from cds.errors import ConfigurationError

PACKAGE_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration. Secrets come from the environment or from files that it names."""

    env: Literal["development", "production"] = "development"
    data_dir: Path = Path(".data")
    """Where embedded databases, development keys and sockets live."""

    # Where we listen, and the name by which others know us
    host: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    """The base URL that EHRs call, used to check a JWT's ``aud``; empty: ``http://{host}:{port}``."""
    web_workers: int = 2
    web_threads: int = 64
    max_body_bytes: int = 8 * 1024 * 1024
    log_level: str = "INFO"

    # Where state lives; empty means embedded
    database_url: str = ""
    database_admin_url: str = ""
    """The owner's connection for migrations; empty: ``database_url``."""
    redis_url: str = ""

    # Who may call us, and whom we may call
    registrations_file: Path | None = None
    """JSON: the EHRs we know (see :mod:`cds.registration`)."""
    keys_file: Path | None = None
    """JSON: our secret keys (see :mod:`cds.keys`); made by itself in development."""
    master_key: str = ""
    """What wraps the tenants' keys (see :mod:`cds.store.master_key`); empty: the keys file holds it."""

    # The prescreen
    models_dir: Path = PACKAGE_ROOT / "models"
    image_bundle: str = "chest-radiograph"
    note_bundle: str = "clinical-note"
    fusion_bundle: str = "late-fusion"
    quality_bundle: str = "film-quality"
    deid_bundle: str = "deidentifier"
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    torch_threads: int = 0
    """Threads of one forward pass; 0: one per core."""

    # Models on other machines (see :mod:`cds.engine.remote`)
    engine_urls: str = ""
    """Servers of the Open Inference Protocol v2, by comma; empty: the models run on this machine."""
    engine_fallback: Literal["none", "local"] = "none"
    """Whether this machine scores where no server does."""
    engine_token: str = ""
    """A bearer token, where the servers ask for one."""
    engine_ca: Path | None = None
    """PEM: who signed their certificates, where no public authority did."""

    # What a hook may take, and what is read for it
    hook_budget_ms: int = 450
    """The time within which a hook is answered with what there is."""
    hook_rate_per_minute: int = 6000
    """How many hook calls one EHR may make in a minute, all workers together; 0: any number."""
    duplicate_window_hours: int = 48
    """Imaging that was done no longer ago makes a like order a possible duplicate; 0: none is."""
    override_window_hours: int = 24
    """For how long an overridden card is not repeated while its result is the same; 0: it always is."""
    upstream_timeout_ms: int = 5000
    """How long one call to an EHR or PACS may take where no hook is waiting."""
    max_image_bytes: int = 256 * 1024 * 1024
    note_lookback_days: int = 365
    max_notes: int = 5

    # How many days what we keep is kept by `cds purge`; 0: for good
    keep_scores_days: int = 30
    keep_deliveries_days: int = 90
    """Deliveries that were made; those that were not are kept until they are."""
    keep_results_days: int = 0
    """Prescreens, reports, cards and feedback."""
    keep_audit_days: int = 0

    # An audit record repository elsewhere, to which the worker forwards the audit trail (IHE ITI-20)
    audit_repository_url: str = ""
    """Its FHIR base, https; empty: nothing is forwarded."""
    audit_repository_token: str = ""
    """A bearer token, where it asks for one."""
    audit_repository_certificate: Path | None = None
    """PEM: our client certificate and its key, where it asks for one (mutual TLS)."""
    audit_repository_ca: Path | None = None
    """PEM: who signed its certificate, where no public authority did."""

    # The sandbox that `cds demo` and the tests talk to
    sandbox_port: int = 8481
    sandbox_pacs_url: str = ""
    """A real PACS's DICOMweb root in the place of the sandbox's own."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ``CDS_*``; raise :class:`ConfigurationError` naming the one that cannot be read."""
        hints = get_type_hints(cls)
        given: dict[str, Any] = {}
        for field in fields(cls):
            variable = f"CDS_{field.name.upper()}"
            raw = environ.get(variable, "").strip()
            if raw:
                given[field.name] = _parse(variable, raw, hints[field.name])
        return cls(**given)

    def as_environment(self) -> dict[str, str]:
        """The same settings for a process that we start."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {f"CDS_{name.upper()}": str(value) for name, value in values if value not in ("", None)}

    def home(self) -> Path:
        """The data directory, made if it is not there; :class:`ConfigurationError` where it is of no use."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.data_dir):
                return self.data_dir
        except OSError as error:
            raise ConfigurationError(f"CDS_DATA_DIR {self.data_dir} cannot be used: {error.strerror}") from None

    @property
    def base_url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def engine_addresses(self) -> tuple[str, ...]:
        return tuple(url.strip().rstrip("/") for url in self.engine_urls.split(",") if url.strip())

    @property
    def production(self) -> bool:
        return self.env == "production"


def _parse(variable: str, raw: str, hint: Any) -> Any:
    parse: Callable[[str], Any] = {int: int, str: str}.get(hint, Path)
    if get_origin(hint) is Literal:
        if raw not in get_args(hint):
            raise ConfigurationError(f"{variable} must be {' or '.join(get_args(hint))}, not {raw!r}")
        return raw
    try:
        return parse(raw)
    except ValueError:
        raise ConfigurationError(f"{variable} must be a whole number, not {raw!r}") from None
