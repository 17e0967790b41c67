"""Drivers see through pgsleuth what they see without it: rows, errors, notices, descriptions, status.

Each scenario of `drivers/` is held against a direct connection, over every pair of legs, by every way to log
in and on both versions of the server at least once; `matrix.py` tells which cells there are.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from drivers import SCENARIOS
from matrix import (
    LEGS,
    NEEDS_PASSWORD,
    ROLES,
    VERSIONS,
    Cell,
    Matrix,
    all_cells,
    chosen_cells,
    chosen_chaos_cells,
    compared_sessions,
)

for module in sorted(Path(__file__).parent.glob("drivers/with_*.py")):
    importlib.import_module(f"drivers.{module.stem}")

CHOSEN = chosen_cells() + chosen_chaos_cells()
LONG = [cell for cell in all_cells() if cell not in set(CHOSEN)]


def test_chosen_cells_leave_nothing_out() -> None:
    for scenario in SCENARIOS:
        cells = [cell for cell in CHOSEN if cell.scenario == scenario]
        assert {cell.legs for cell in cells} == set(LEGS)
        assert {cell.version for cell in cells} == set(VERSIONS)
        if scenario not in NEEDS_PASSWORD:
            assert {cell.authentication for cell in cells} == set(ROLES)


def test_server_18_speaks_the_newer_protocol(matrix: Matrix) -> None:
    """Where it did not, the cells of long cancel keys would prove nothing."""
    for version, expected in (("15", 30000), ("18", 30002)):
        cell = Cell("psycopg3_protocol_3_2_and_its_long_cancel_keys", version, "scram-sha-256", "same")
        assert matrix.direct(cell)[0] == expected


def check(cell: Cell, matrix: Matrix) -> None:
    direct = matrix.direct(cell)
    assert direct, "a scenario that sees nothing proves nothing"
    assert matrix.through(cell) == direct


@pytest.mark.parametrize("cell", CHOSEN, ids=str)
def test_driver_sees_the_same_as_on_a_direct_connection(cell: Cell, matrix: Matrix) -> None:
    check(cell, matrix)


@pytest.mark.long
@pytest.mark.parametrize("cell", LONG, ids=str)
def test_driver_sees_the_same_in_every_other_cell(cell: Cell, matrix: Matrix) -> None:
    check(cell, matrix)


def test_every_session_was_understood_and_its_bytes_compared(matrix: Matrix) -> None:
    """The last of this module, since it ends the relays: no session was given up, no record lost."""
    for front in matrix.fronts.values():
        outcome = front.stop()
        coverage = outcome.report["coverage"]
        assert coverage["opaque"] == []
        assert coverage["opaque_sessions"] == 0
        assert coverage["dropped_records"] == 0
        assert coverage["refused_sessions"] == 0
        assert compared_sessions(outcome) >= outcome.report["run"]["sessions"] >= front.cells
