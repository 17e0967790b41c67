"""A private PostgreSQL: its own folder, a free loopback port and a Unix socket, gone when it is stopped."""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from certs import Pair

OPEN_ROLE = "open"  # let in without a password
SERVER_USER = "postgres"  # the server refuses to run as root
# Where the programs of a version are: what this variable names, then these.
PLACES = {
    "15": ("PG_BINDIR", ("/usr/lib/postgresql/15/bin", "/usr/local/pgsql/bin", "/usr/bin")),
    "18": ("PG18_BINDIR", (str(Path(__file__).resolve().parents[2] / "build/postgresql-18/native/bin"),)),
}
READY_S = 60
PR_SET_PDEATHSIG = 1
# Those of libpq's variables that are not named after their keyword.
VARIABLES = {"target_session_attrs": "PGTARGETSESSIONATTRS", "channel_binding": "PGCHANNELBINDING"}

_libc = ctypes.CDLL(None)
# Below the ports that the kernel gives to outgoing connections, so that none of those is in the way.
_ports = itertools.cycle(random.sample(range(15000, 32000), 17000))


def free_port() -> int:
    """A loopback port that nobody listens on; not given out again soon."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def end_with_parent(number: int) -> Any:
    """For preexec_fn: the kernel sends this signal to the child when this process dies, however it dies."""
    return lambda: _libc.prctl(PR_SET_PDEATHSIG, number)


def find_program(name: str, version: str = "15") -> str:
    """Of 18 there are server programs only."""
    variable, places = PLACES[version]
    for place in (os.environ.get(variable, ""), *places):
        if place and os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    raise FileNotFoundError(
        f"{name} of PostgreSQL {version} is not installed (./dev setup); or set {variable}"
    )


@dataclass(frozen=True)
class Target:
    """Where to connect, and as whom."""

    host: str
    port: int
    user: str
    password: str
    database: str
    parameters: str = ""  # libpq's, as in a URL

    def keywords(self) -> dict[str, str]:
        """The parameters, one by one."""
        return dict(parse_qsl(self.parameters))

    def url(self, scheme: str = "postgresql", query: str = "") -> str:
        at = f"{self.user}:{self.password}@{self.host}:{self.port}"
        query = "&".join(part for part in (self.parameters, query) if part)
        return f"{scheme}://{at}/{self.database}" + (f"?{query}" if query else "")

    def libpq(self) -> dict[str, Any]:
        """Arguments of psycopg2.connect and psycopg.connect. No test waits for ever."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "connect_timeout": 20,
            **self.keywords(),
        }

    def asyncpg(self) -> dict[str, Any]:
        """Of libpq's parameters it knows those of TLS, and those in a URL only."""
        tls = {name: value for name, value in self.keywords().items() if name.startswith("ssl")}
        return {
            **({"dsn": f"postgresql://?{urlencode(tls)}"} if tls else {}),
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "timeout": 20,
            "command_timeout": 60,
        }

    def at(self, host: str, port: int) -> Target:
        return replace(self, host=host, port=port)

    def environment(self) -> dict[str, str]:
        """For psql and pgbench."""
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGCONNECT_TIMEOUT": "20",
            **{VARIABLES.get(name, f"PG{name.upper()}"): value for name, value in self.keywords().items()},
        }


def server_account() -> dict[str, Any]:
    """Arguments of subprocess that give root's rights up; none for others."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(SERVER_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Server:
    def __init__(
        self,
        authentication: str = "scram-sha-256",
        *,
        version: str = "15",
        rules: tuple[str, ...] = (),
        certificate: Pair | None = None,
        client_ca: str = "",
        **settings: str,
    ) -> None:
        """Rules are lines of pg_hba.conf that come before its own. With a certificate the server has TLS;
        with the authority of clients it can ask for theirs."""
        self.version = version
        self.rules = (f"host all {OPEN_ROLE} 127.0.0.1/32 trust", *rules)
        self.certificate = certificate
        self.folder = Path(tempfile.mkdtemp(prefix="pgsleuth-e2e-"))
        self.folder.chmod(0o711)
        self.data = self.folder / "pg" / "data"
        self.authentication = authentication
        self.settings = {
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "shared_buffers": "64MB",
            "max_connections": "400",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder / "pg"),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            **settings,
        }
        if certificate is not None:
            # Copies in its own folder: the server wants to own its key.
            self.settings |= {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
        if client_ca:
            self.settings["ssl_ca_file"] = client_ca
        password = secrets.token_hex(12)
        self.admin = Target("127.0.0.1", free_port(), "admin", password, "postgres")
        self.app = replace(self.admin, user="app", database="app")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket_folder(self) -> str:
        return self.settings["unix_socket_directories"]

    def start(self) -> None:
        self.data.parent.mkdir(mode=0o755)
        account = server_account()
        if account:
            os.chown(self.data.parent, account["user"], account["group"])
        self._initdb(account)
        self._keep_certificate(account)
        self._let_in()
        self.launch()
        self.sql(f"CREATE ROLE app LOGIN PASSWORD '{self.app.password}'")
        self.sql("CREATE DATABASE app OWNER app")
        self.sql(f"CREATE ROLE {OPEN_ROLE} LOGIN IN ROLE app")
        self.sql(
            "CREATE TABLE people (id int8 PRIMARY KEY, name text NOT NULL);"
            "INSERT INTO people SELECT n, 'person ' || n FROM generate_series(1, 100) n;"
            "GRANT SELECT ON people TO app",
            self.admin_of("app"),
        )
        self.sql("GRANT pg_signal_backend, pg_read_all_stats TO app")

    def launch(self) -> None:
        """Over the data that is there; until it serves."""
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._program("postgres"), "-D", str(self.data), "-p", str(self.admin.port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                preexec_fn=end_with_parent(signal.SIGINT),  # one call of libc
                **server_account(),
            )
        self._wait_ready()

    def halt(self, number: int) -> None:
        """Until it is gone: SIGINT is a fast shutdown, SIGQUIT an immediate one."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(READY_S)

    def _initdb(self, account: dict[str, Any]) -> None:
        words = self.data.parent / "password"
        words.write_text(self.admin.password + "\n", encoding="ascii")
        words.chmod(0o644)  # its folder goes away in a moment
        done = subprocess.run(
            [
                *(self._program("initdb"), "-D", str(self.data), "-U", "admin", "-A", self.authentication),
                *(f"--pwfile={words}", "-E", "UTF8", "--locale=C", "--no-sync"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            timeout=120,
            **account,
        )
        words.unlink()
        assert done.returncode == 0, done.stdout + done.stderr

    def _keep_certificate(self, account: dict[str, Any]) -> None:
        if self.certificate is None:
            return
        for source, name in ((self.certificate.cert, "server.crt"), (self.certificate.key, "server.key")):
            copy = self.data / name
            shutil.copy(source, copy)
            copy.chmod(0o600)
            if account:
                os.chown(copy, account["user"], account["group"])

    def _program(self, name: str) -> str:
        """A copy where its account cannot enter: a checkout may lie in a folder of root's own."""
        found = Path(find_program(name, self.version))
        account = server_account()
        probe = ["test", "-x", str(found)]
        if not account or subprocess.run(probe, check=False, cwd="/", **account).returncode == 0:
            return str(found)
        copy = self.folder / "programs"
        if not copy.exists():
            shutil.copytree(found.parents[1], copy, symlinks=True)
        return str(copy / found.parent.name / name)

    def _let_in(self) -> None:
        file = self.data / "pg_hba.conf"
        file.write_text("\n".join((*self.rules, file.read_text("utf-8"))), "utf-8")

    def _wait_ready(self) -> None:
        assert self.process is not None
        until = time.monotonic() + READY_S
        ask = [find_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.admin.port)]
        while subprocess.run(ask, check=False, timeout=20).returncode != 0:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def psql(self, target: Target, *arguments: str, script: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [find_program("psql"), "-X", *arguments],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=target.environment(),
        )

    def sql(self, text: str, target: Target | None = None) -> str:
        """Run on a direct connection, by default as the superuser; what came back, unaligned."""
        done = self.psql(target or self.admin, "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", script=text)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def admin_of(self, database: str) -> Target:
        return replace(self.admin, database=database)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def run_server(authentication: str = "scram-sha-256", **options: Any) -> Iterator[Server]:
    server = Server(authentication, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
