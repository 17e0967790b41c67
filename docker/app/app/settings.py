"""What comes from the environment."""

from __future__ import annotations

import os

APPLICATION_NAME = "bookshop"


def database_url() -> str:
    """Return DATABASE_URL, in the form ``postgresql://user:password@host:port/database``."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgresql://"):
        raise SystemExit("DATABASE_URL must be set to postgresql://user:password@host:port/database")
    return url


def is_cured() -> bool:
    """Tell whether the routes are to be served without their faults."""
    return bool(os.environ.get("BOOKSHOP_CURED"))
