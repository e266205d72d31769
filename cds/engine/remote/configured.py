"""The remote networks that the settings ask for."""

from __future__ import annotations

import logging
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx

from cds import tls
from cds.deadline import Deadline
from cds.engine.batching import Batched
from cds.engine.bundles import Bundle
from cds.engine.network import Network
from cds.engine.remote.fall_back import FallBack
from cds.engine.remote.network import RemoteNetwork
from cds.errors import ConfigurationError, EngineError, NotAllowed
from cds.registration import origin
from cds.settings import Settings
from cds.transport import Transport

if TYPE_CHECKING:
    from cds.engine.remote.server import Server

REQUESTS = 128
"""Under way at once, of one model; a hedged call has two."""

_log = logging.getLogger(__name__)


def remote_networks(settings: Settings, image: Bundle, note: Bundle) -> tuple[Network, Network]:
    """The networks of both bundles, at every address of ``CDS_ENGINE_URLS``.

    Raises :class:`~cds.errors.ModelError` where a server is there and has not these very bundles; one that is not
    there is asked again when it is needed. Raises :class:`ConfigurationError` for settings that cannot be meant.
    """
    return _network(settings, image.expect("image")), _network(settings, note.expect("note"))


def _network(settings: Settings, bundle: Bundle) -> Network:
    remote = _remote(settings, bundle)
    return remote if settings.engine_fallback == "none" else FallBack(remote, _local(settings, bundle))


def _remote(settings: Settings, bundle: Bundle) -> RemoteNetwork:
    from cds.engine.remote.server import Server  # noqa: PLC0415 (needs an extra)

    urls = addresses(settings)
    limits = httpx.Limits(max_connections=REQUESTS, max_keepalive_connections=REQUESTS)
    http = httpx.Client(
        transport=Transport(tls.context(settings.engine_ca, "", "CDS_ENGINE_CA"), limits),
        headers={"Authorization": f"Bearer {settings.engine_token}"} if settings.engine_token else {},
        trust_env=False,
    )
    servers = [Server(http, url, bundle) for url in urls]
    threads = ThreadPoolExecutor(REQUESTS, "remote")
    network = RemoteNetwork(servers, threads, settings.upstream_timeout_ms / 1000)
    # Connections end with the network that they are for.
    weakref.finalize(network, http.close)
    for server in servers:
        _check(server, Deadline.after(settings.upstream_timeout_ms))
    return network


def addresses(settings: Settings) -> tuple[str, ...]:
    """Those of ``CDS_ENGINE_URLS``; raises :class:`ConfigurationError` for one that is no http(s) address."""
    urls = settings.engine_addresses
    for url in urls:
        try:
            origin(str(httpx.URL(url)))
        except (NotAllowed, httpx.InvalidURL) as wrong:
            raise ConfigurationError(f"CDS_ENGINE_URLS: {wrong}") from None
    return urls


def _check(server: Server, deadline: Deadline) -> None:
    try:
        server.check(deadline)
    except EngineError as away:
        _log.warning("a remote engine is not ready yet: %s", away)


def _local(settings: Settings, bundle: Bundle) -> Network:
    """One call after another, in the order of deadlines: when the servers go, everybody falls back at once."""
    from cds.engine.on_device import network_on  # noqa: PLC0415 (torch, seconds)

    return Batched(network_on(bundle, settings.device), rows=1)
