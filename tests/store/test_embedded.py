"""PostgreSQL and Valkey of our own: they live as long as who started them, and lose nothing."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from cds.errors import ConfigurationError
from cds.store.embedded import EmbeddedPostgres, EmbeddedValkey

AS_ROOT = os.geteuid() == 0

STARTER = """
import sys, time
from pathlib import Path
from cds.store.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which a cluster was made once; the tests start and stop it."""
    path = tmp_path_factory.mktemp("data dir")
    with EmbeddedPostgres(path) as server, psycopg.connect(server.admin_url) as connection:
        connection.execute("CREATE TABLE kept (id integer)")
        connection.execute("GRANT SELECT, INSERT ON kept TO cds_app")
    return path


@pytest.fixture
def starter(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that runs the server, to be killed, and the URL it gave."""
    command = [sys.executable, "-c", STARTER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def soon(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def insert(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def kept(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        return {value for (value,) in connection.execute("SELECT id FROM kept")}


def test_data_survive_a_restart_and_nothing_keeps_running(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        insert(server.app_url, 1)
        first = postmaster(data_dir)
    assert not alive(first)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    with EmbeddedPostgres(data_dir) as server:
        assert 1 in kept(server.app_url)


def test_neither_role_is_a_superuser_and_the_application_owns_nothing(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        for url in (server.app_url, server.admin_url):
            with psycopg.connect(url) as connection:
                role = connection.execute(
                    "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
                assert role == (False, False, False)
        with psycopg.connect(server.app_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine ()")


def test_a_wrong_password_is_refused(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server, pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.app_url.replace("://cds_app:", "://cds_app:x"))


def test_passwords_are_readable_by_their_owner_alone(data_dir: Path) -> None:
    secrets = data_dir / "postgres-secrets.json"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600


def test_a_second_starter_is_refused(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        for second in (EmbeddedPostgres(data_dir), server):
            with pytest.raises(ConfigurationError, match=f"CDS_DATA_DIR.*in use by process {os.getpid()}"):
                second.start()
        assert answers(server.app_url)


def test_a_killed_server_comes_back_with_every_committed_row(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        insert(server.app_url, 2)
        killed = postmaster(data_dir)
        os.kill(killed, signal.SIGKILL)
        assert soon(lambda: not alive(killed) and answers(server.app_url))
        assert postmaster(data_dir) != killed
        assert 2 in kept(server.app_url)


def test_the_server_ends_with_a_starter(data_dir: Path, starter: tuple[subprocess.Popen[str], str]) -> None:
    process, url = starter
    insert(url, 3)
    server = postmaster(data_dir)
    process.kill()
    assert soon(lambda: not alive(server))


def test_a_start_right_after_a_kill_of_starter_and_guard_finds_everything(
    data_dir: Path, starter: tuple[subprocess.Popen[str], str]
) -> None:
    process, url = starter
    insert(url, 4)
    server = postmaster(data_dir)
    (guard,) = children(process.pid)
    os.kill(guard, signal.SIGKILL)
    process.kill()
    process.wait()
    with EmbeddedPostgres(data_dir) as restarted:
        assert not alive(server)
        assert 4 in kept(restarted.app_url)


def test_the_pid_of_somebody_else_in_a_stale_file_is_left_alone(data_dir: Path) -> None:
    with subprocess.Popen(["sleep", "30"]) as bystander:
        (data_dir / "postgres" / "postmaster.pid").write_text(f"{bystander.pid}\n{data_dir}/postgres\n0\n5432\n")
        with EmbeddedPostgres(data_dir) as server:
            assert answers(server.app_url)
        assert bystander.poll() is None
        bystander.kill()


def test_a_forked_child_does_not_stop_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        child = os.fork()
        if child == 0:
            server.stop()
            os._exit(0)
        os.waitpid(child, 0)
        assert answers(server.app_url)


def test_a_long_path_keeps_its_socket_elsewhere(data_dir: Path) -> None:
    far = data_dir.parent / ("long " * 30)
    data_dir.rename(far)
    try:
        with EmbeddedPostgres(far) as server:
            assert 1 in kept(server.app_url)
            assert "long" not in server.app_url
    finally:
        far.rename(data_dir)


@pytest.mark.skipif(not AS_ROOT, reason="only root has directories that an unprivileged server cannot enter")
def test_root_runs_the_server_unprivileged_in_a_directory_closed_to_all_others(data_dir: Path) -> None:
    closed = data_dir.parent / "closed"
    closed.mkdir(mode=0o700)
    data_dir.rename(closed / "data")
    try:
        with EmbeddedPostgres(closed / "data") as server:
            status = Path(f"/proc/{postmaster(closed / 'data')}/status").read_text().splitlines()
            assert answers(server.app_url)
    finally:
        (closed / "data").rename(data_dir)
    fields = dict(line.split(":\t", 1) for line in status)
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16).bit_count() == 1


@pytest.mark.skipif(not AS_ROOT, reason="only root may start as another user")
def test_another_users_data_directory_is_refused_by_name(data_dir: Path, tmp_path: Path) -> None:
    with EmbeddedPostgres(data_dir):
        pass
    program = (
        f"import os, sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from cds.store.embedded import EmbeddedPostgres\n"
        "os.setresuid(65534, 65534, 65534)\n"
        f"EmbeddedPostgres(Path({str(data_dir)!r})).start()"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "ConfigurationError: CDS_DATA_DIR" in done.stderr
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize("server", [EmbeddedPostgres, EmbeddedValkey])
def test_a_file_in_the_place_of_the_data_directory_is_refused_by_name(
    server: type[EmbeddedPostgres] | type[EmbeddedValkey], tmp_path: Path
) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ConfigurationError, match="CDS_DATA_DIR"):
        server(tmp_path / "data").start()


def test_the_log_has_nothing_of_what_a_failed_statement_held(data_dir: Path) -> None:
    with (
        EmbeddedPostgres(data_dir) as server,
        psycopg.connect(server.admin_url) as connection,
        pytest.raises(psycopg.errors.InvalidTextRepresentation, match="Maria Patient"),
    ):
        connection.execute("INSERT INTO kept VALUES ('Maria Patient')")
    log = (data_dir / "postgres.log").read_text()
    assert "shut down" in log
    assert "Maria" not in log


def test_passwords_that_are_not_the_clusters_are_said_to_be_so(data_dir: Path) -> None:
    secrets = data_dir / "postgres-secrets.json"
    right = secrets.read_text()
    secrets.write_text(right.replace('": "', '": "x'))
    try:
        with pytest.raises(ConfigurationError, match=r"postgres-secrets\.json"):
            EmbeddedPostgres(data_dir).start()
    finally:
        secrets.write_text(right)


def test_before_the_first_start_there_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CDS_DATA_DIR"):
        _ = EmbeddedPostgres(tmp_path).app_url


def test_valkey_keeps_what_it_acknowledged_when_it_is_killed(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.mset({f"key-{n}": n for n in range(500)})
        killed = int((tmp_path / "valkey" / "valkey.pid").read_text())
        os.kill(killed, signal.SIGKILL)
        assert soon(lambda: valkey_answers(server.url))
        assert len(client.keys("key-*")) == 500


def test_valkey_asks_for_its_password(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:
        path = server.url.partition("@")[2]
        with redis.Redis.from_url(f"unix://{path}") as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_a_second_valkey_is_refused(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path), pytest.raises(ConfigurationError, match=r"CDS_DATA_DIR.*in use"):
        EmbeddedValkey(tmp_path).start()


def valkey_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
