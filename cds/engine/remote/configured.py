"""The remote networks that the settings ask for."""

from __future__ import annotations

import logging
import ssl
from concurrent.futures import ThreadPoolExecutor

import httpx

from cds.deadline import Deadline
from cds.engine.bundles import Bundle
from cds.engine.device import torch_device
from cds.engine.network import Network, TorchNetwork
from cds.engine.remote.fall_back import FallBack
from cds.engine.remote.network import RemoteNetwork
from cds.engine.remote.server import Server
from cds.errors import ConfigurationError, EngineError, NotAllowed
from cds.registration import origin
from cds.settings import Settings

REQUESTS = 128
"""Under way at once; a hedged call has two."""

_log = logging.getLogger(__name__)


def remote_networks(settings: Settings, image: Bundle, note: Bundle) -> tuple[Network, Network]:
    """The networks of both bundles, at every address of ``CDS_ENGINE_URLS``.

    Raises :class:`~cds.errors.ModelError` where a server is there and has not these very bundles; one that is not
    there is asked again when it is needed. Raises :class:`ConfigurationError` for settings that cannot be meant.
    """
    http = httpx.Client(
        verify=_tls(settings),
        headers={"Authorization": f"Bearer {settings.engine_token}"} if settings.engine_token else {},
        limits=httpx.Limits(max_connections=REQUESTS, max_keepalive_connections=REQUESTS),
        trust_env=False,
    )
    threads = ThreadPoolExecutor(REQUESTS, "remote")
    longest_s = settings.upstream_timeout_ms / 1000

    def network(bundle: Bundle) -> Network:
        servers = [Server(http, url, bundle) for url in addresses(settings)]
        for server in servers:
            _check(server, Deadline.after(settings.upstream_timeout_ms))
        return RemoteNetwork(servers, threads, longest_s)

    remote = network(image.expect("image")), network(note.expect("note"))
    return remote if settings.engine_fallback == "none" else _with_local(settings, image, note, *remote)


def addresses(settings: Settings) -> tuple[str, ...]:
    """Those of ``CDS_ENGINE_URLS``; raises :class:`ConfigurationError` for one that is no http(s) address."""
    urls = settings.engine_addresses
    for url in urls:
        try:
            origin(url)
        except NotAllowed as wrong:
            raise ConfigurationError(f"CDS_ENGINE_URLS: {wrong}") from None
    return urls


def _check(server: Server, deadline: Deadline) -> None:
    try:
        server.check(deadline)
    except EngineError as away:
        _log.warning("a remote engine is not ready yet: %s", away)


def _with_local(
    settings: Settings, image: Bundle, note: Bundle, remote_image: Network, remote_note: Network
) -> tuple[Network, Network]:
    from cds.engine.networks import image_network, note_network  # noqa: PLC0415 (torch, seconds)

    device = torch_device(settings.device)
    return (
        FallBack(remote_image, TorchNetwork(image_network(image), device)),
        FallBack(remote_note, TorchNetwork(note_network(note), device)),
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        authority = settings.engine_ca
        return ssl.create_default_context(cafile=authority) if authority else httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"CDS_ENGINE_CA cannot be used: {error}") from None
