"""Cells of the matrix: a scenario, on one version of the server, by one way to log in, over a pair of legs.

Servers and pgsleuths are started when the first cell wants them, and serve all others that do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from certs import Authority, Pair
from chaos import SIZES, Chaos
from drivers import SCENARIOS
from proxy import Outcome, Proxy
from server import Server, Target

VERSIONS = ("15", "18")
ROLES = {"scram-sha-256": "app", "md5": "app_md5", "trust": "app_trust", "cert": "app_cert"}
RULES = (
    "host all app_md5 127.0.0.1/32 md5",
    "host all app_trust 127.0.0.1/32 trust",
    "hostssl all app_cert 127.0.0.1/32 cert",
)
# Which legs have TLS; of both, whether pgsleuth shows the server's own certificate or another.
LEGS = ("plain", "client", "server", "same", "different")
TLS_TO_CLIENT = ("client", "same", "different")
TLS_TO_SERVER = ("server", "same", "different")
LEDGER = re.compile(r"ledger: (\d+) sessions compared, \d+ bytes, none differ")

# What a wrong password is told exists only where there is a password.
NEEDS_PASSWORD = ("psycopg2_wrong_password",)
# Tens of megabytes; a relay that cuts them small would take minutes for nothing new.
MEGABYTES = ("psycopg3_row_of_64_mib", "asyncpg_row_of_64_mib")


@dataclass(frozen=True)
class Cell:
    scenario: str
    version: str
    authentication: str
    legs: str
    chaos: str = ""

    def __str__(self) -> str:
        parts = (self.scenario, self.version, self.authentication, self.legs, self.chaos)
        return "-".join(part for part in parts if part)

    def is_possible(self) -> bool:
        if self.authentication == "cert" and self.legs not in TLS_TO_SERVER:
            return False
        if self.scenario in MEGABYTES and self.chaos:
            return False
        return self.scenario not in NEEDS_PASSWORD or self.authentication in ("scram-sha-256", "md5")


def chosen_cells() -> list[Cell]:
    """For each scenario every pair of legs, and over these both versions and every way to log in."""
    found = []
    for n, scenario in enumerate(SCENARIOS):
        with_certificate = TLS_TO_SERVER[n % 3]
        others = iter(rotated(("scram-sha-256", "md5", "trust", "scram-sha-256"), n // 3))
        for k, legs in enumerate(LEGS):
            authentication = "cert" if legs == with_certificate else next(others)
            if scenario in NEEDS_PASSWORD:
                authentication = ("scram-sha-256", "md5")[k % 2]
            found.append(Cell(scenario, VERSIONS[(n + k) % 2], authentication, legs))
    assert all(cell.is_possible() for cell in found)
    return found


def rotated(items: tuple[str, ...], by: int) -> tuple[str, ...]:
    by %= len(items)
    return items[by:] + items[:by]


def chosen_chaos_cells() -> list[Cell]:
    """For each scenario one of the chosen cells in single bytes and another in random sizes."""
    found = []
    cells = chosen_cells()
    for n in range(len(SCENARIOS)):
        for m, sizes in enumerate(SIZES):
            cell = cells[n * len(LEGS) + (n + 2 * m) % len(LEGS)]
            found.append(replace(cell, chaos=sizes))
    return [cell for cell in found if cell.is_possible()]


def all_cells() -> list[Cell]:
    """Every combination, and every chosen one through both relays that cut."""
    whole = [Cell(*row) for row in product(SCENARIOS, VERSIONS, ROLES, LEGS)]
    cut = [replace(cell, chaos=sizes) for cell in chosen_cells() for sizes in SIZES]
    return [cell for cell in whole + cut if cell.is_possible()]


class Front:
    """A pgsleuth, between two relays that cut if the cells want it."""

    def __init__(self, proxy: Proxy, relays: list[Chaos]) -> None:
        self.proxy = proxy
        self.relays = relays
        self.port = relays[0].port if relays else proxy.port
        self.cells = 0

    def stop(self) -> Outcome:
        outcome = self.proxy.stop()
        for relay in self.relays:
            counts = relay.stop()
            assert counts["connections"] >= self.cells
            assert counts["pieces"] > counts["connections"]
        return outcome

    def kill(self) -> None:
        self.proxy.kill()
        for relay in self.relays:
            relay.__exit__()


class Matrix:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()
        # Keys of both kinds: what a login is bound to depends on them.
        self.server_pairs = {
            "15": self.authority.sign("localhost", key="rsa"),
            "18": self.authority.sign("localhost", key="ecdsa"),
        }
        self.proxy_pair = self.authority.sign("localhost")
        self.client_pair = self.authority.sign(ROLES["cert"], ())
        self.servers: dict[str, Server] = {}
        self.fronts: dict[tuple[str, str, str], Front] = {}
        self.directs: dict[tuple[str, str, str], list[Any]] = {}

    def server(self, version: str) -> Server:
        if version not in self.servers:
            made = Server(
                version=version,
                rules=RULES,
                certificate=self.server_pairs[version],
                client_ca=self.authority.cert,
            )
            self.servers[version] = made
            made.start()
            self._make_roles(made)
        return self.servers[version]

    def _make_roles(self, server: Server) -> None:
        password = server.app.password
        server.sql(
            f"SET password_encryption = 'md5'; CREATE ROLE app_md5 LOGIN IN ROLE app PASSWORD '{password}';"
            "CREATE ROLE app_trust LOGIN IN ROLE app; CREATE ROLE app_cert LOGIN IN ROLE app"
        )
        stored = server.sql("SELECT rolname, left(rolpassword, 3) FROM pg_authid WHERE rolname LIKE 'app%'")
        assert sorted(stored.split()) == ["app_cert|", "app_md5|md5", "app_trust|", "app|SCR"]

    def front(self, version: str, legs: str, chaos: str) -> Front:
        key = (version, legs, chaos)
        if key not in self.fronts:
            self.fronts[key] = self._start_front(*key)
        return self.fronts[key]

    def _start_front(self, version: str, legs: str, chaos: str) -> Front:
        behind = self.server(version).app
        relays = []
        if chaos:
            relays.append(Chaos(behind.port, "-".join((version, legs, chaos, "server")), chaos))
            behind = replace(behind, port=relays[0].port)
        options = {"upstream": replace(behind, parameters=self.server_leg(version, legs)).url(), "workers": 2}
        if legs in TLS_TO_CLIENT:
            options |= self.shown_pair(version, legs).options()
            options["tls_client_ca"] = self.authority.cert
        name = "-".join(part for part in (version, legs, chaos) if part)
        proxy = Proxy(self.folder / name, behind, **options)
        front = Front(proxy, relays)
        try:
            proxy.start()
            if chaos:
                relays.insert(0, Chaos(proxy.port, f"{name}-client", chaos))
                front.port = relays[0].port
        except BaseException:
            front.kill()
            raise
        return front

    def shown_pair(self, version: str, legs: str) -> Pair:
        return self.server_pairs[version] if legs == "same" else self.proxy_pair

    def server_leg(self, version: str, legs: str) -> str:
        if legs not in TLS_TO_SERVER:
            return "sslmode=disable"
        # TLS without an SSLRequest before it is known to servers since 17.
        negotiation = "direct" if version == "18" and legs == "same" else "postgres"
        return f"{self.verified(self.client_pair)}&sslnegotiation={negotiation}"

    def verified(self, pair: Pair | None = None) -> str:
        """Parameters of a leg that checks the server's certificate and shows this one."""
        mine = f"&sslcert={pair.cert}&sslkey={pair.key}" if pair else ""
        return f"sslmode=verify-full&sslrootcert={self.authority.cert}{mine}"

    def client_leg(self, cell: Cell) -> str:
        if cell.legs not in TLS_TO_CLIENT:
            return ""  # libpq's default: it asks for TLS, and takes no for an answer
        found = self.verified(self.client_pair if cell.authentication == "cert" else None)
        if cell.version == "18" and cell.legs == "client":
            found += "&sslnegotiation=direct"
        if cell.authentication == "scram-sha-256" and cell.legs != "client":
            # Bound to the server's certificate where it is shown; to another's it cannot be.
            found += f"&channel_binding={'require' if cell.legs == 'same' else 'disable'}"
        return found

    def direct(self, cell: Cell) -> list[Any]:
        key = (cell.scenario, cell.version, cell.authentication)
        if key not in self.directs:
            # Never libpq's default, which would tell of two refusals: with TLS and without.
            with_certificate = cell.authentication == "cert"
            parameters = self.verified(self.client_pair) if with_certificate else "sslmode=disable"
            self.directs[key] = SCENARIOS[cell.scenario](replace(self.role(cell), parameters=parameters))
        return self.directs[key]

    def through(self, cell: Cell) -> list[Any]:
        front = self.front(cell.version, cell.legs, cell.chaos)
        front.cells += 1
        target = replace(self.role(cell), port=front.port, parameters=self.client_leg(cell))
        return SCENARIOS[cell.scenario](target)

    def role(self, cell: Cell) -> Target:
        return replace(self.server(cell.version).app, user=ROLES[cell.authentication])

    def close(self) -> None:
        for front in self.fronts.values():
            front.kill()
        for server in self.servers.values():
            server.stop()
        self.authority.close()


def compared_sessions(outcome: Outcome) -> int:
    """How many sessions' bytes the ledger of the test build compared."""
    found = LEDGER.search(outcome.stderr)
    assert found, f"no ledger; this wants the asan or the tsan build: {outcome.stderr}"
    return int(found[1])
