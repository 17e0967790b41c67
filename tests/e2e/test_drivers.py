"""Drivers see through pgsleuth what they see without it: rows, errors, notices, descriptions, status."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from drivers import SCENARIOS
from proxy import Proxy
from server import Server

for module in sorted(Path(__file__).parent.glob("drivers/with_*.py")):
    importlib.import_module(f"drivers.{module.stem}")


@pytest.mark.parametrize("name", SCENARIOS)
def test_driver_sees_the_same_as_on_a_direct_connection(name: str, server: Server, relay: Proxy) -> None:
    direct = SCENARIOS[name](server.app)
    through = SCENARIOS[name](relay.target)
    assert direct, "a scenario that sees nothing proves nothing"
    assert through == direct


def test_every_session_of_every_driver_was_understood(relay: Proxy) -> None:
    """The last of this module, since it ends the relay: no session was given up, no record lost."""
    coverage = relay.stop().report["coverage"]
    assert coverage["opaque"] == []
    assert coverage["opaque_sessions"] == 0
    assert coverage["dropped_records"] == 0
    assert coverage["refused_sessions"] == 0
