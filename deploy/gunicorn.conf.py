"""gunicorn for one server: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``. Every figure is a setting."""

import gc
import sys
from typing import Any

import cds.app  # noqa: F401 (what the workers import, they share)
from cds.processes import KeptAlive, die_with_parent
from cds.serving import environment, python
from cds.settings import Settings

# A thread that answers waits for one that computes each time it comes back from the database: not 5 ms each time.
# Nor much less: whoever waits wakes as often, and a crowd would do little else.
sys.setswitchinterval(0.002)

_settings = Settings.from_environment()

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.web_workers
worker_class = "gthread"
threads = _settings.web_threads
# An EHR keeps its connection open between hooks; a new one costs it a handshake.
keepalive = 75
# A worker that has not answered for this long is stuck: no request of ours takes so long.
timeout = 60
graceful_timeout = 10
max_requests = 0
# What an EHR sends along with a launch may be a JWT.
limit_request_line = 8190
limit_request_field_size = 16384
# A proxy may let paths through by their beginning: none says by a header that a path is another.
forwarder_headers = ""
worker_tmp_dir = "/dev/shm"  # noqa: S108 (heartbeats must not wait for a disk)
# Nothing of a request is written to the log: the audit trail is the record.
accesslog = None
errorlog = "-"
loglevel = _settings.log_level.lower()

# The models run in a process of their own, which all workers share; it is there as long as the web server is.
_engine = KeptAlive(python("-m", "cds.cli", "engine"), environment(_settings))


def on_starting(server: Any) -> None:
    _engine.start()


def pre_fork(server: Any, worker: Any) -> None:
    # A collection in a worker would touch, and so copy, every page that it shares.
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:
    # A worker without its master would hold the port for as long as what it is at, and nobody would watch it.
    die_with_parent()


def on_exit(server: Any) -> None:
    _engine.stop()


# gunicorn 27 opens a control socket in the working directory unless told not to.
control_socket_disable = True
