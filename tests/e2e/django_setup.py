"""Django without a project: one database, chosen at run time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.db import connection, connections

from server import Target

ENGINE = "django.db.backends.postgresql"

settings.configure(DATABASES={"default": {"ENGINE": ENGINE}}, USE_TZ=True)
django.setup()


@contextmanager
def use_database(target: Target, **options: Any) -> Iterator[None]:
    default = {
        "ENGINE": ENGINE,
        "HOST": target.host,
        "PORT": target.port,
        "USER": target.user,
        "PASSWORD": target.password,
        "NAME": target.database,
        "OPTIONS": {"connect_timeout": 20, **target.keywords(), **options},
    }
    connections.settings = connections.configure_settings({"default": default})
    if hasattr(connections._connections, "default"):
        del connections["default"]
    try:
        yield
    finally:
        connection.close()
