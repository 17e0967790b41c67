"""psycopg alone; one test waits until it is told to go on, or for ever."""

import os
import time
from pathlib import Path

import psycopg


def test_quick():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class").fetchone()


def test_waits():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE things (id integer)")
        connection.commit()
        Path("waits").touch()
        while not Path("go-on").exists():
            time.sleep(0.02)
