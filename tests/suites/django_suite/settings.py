"""Settings of Django's own tests, for runtests.py: PostgreSQL by the variables that suites.py sets."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

if os.environ["SUITE_DRIVER"] == "psycopg2":
    # Django takes psycopg 3 wherever it can be imported.
    sys.modules["psycopg"] = None  # type: ignore[assignment]

_BASE: dict[str, Any] = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGHOST"],
    "PORT": os.environ["PGPORT"],
    "USER": os.environ["PGUSER"],
    "PASSWORD": os.environ["PGPASSWORD"],
    "OPTIONS": json.loads(os.environ["SUITE_OPTIONS"]),
}
DATABASES = {"default": {**_BASE, "NAME": "django"}, "other": {**_BASE, "NAME": "django2"}}
SECRET_KEY = "django_tests_secret_key"  # noqa: S105 # of no use to anybody
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "django_suite.runner.JUnitRunner"
