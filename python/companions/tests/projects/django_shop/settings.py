"""A shop; its database is named by SHOP_DATABASE, which nothing else reads."""

import os
from urllib.parse import urlsplit

_at = urlsplit(os.environ["SHOP_DATABASE"])

SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _at.path[1:],
        "USER": _at.username,
        "PASSWORD": _at.password,
        "HOST": _at.hostname,
        "PORT": _at.port,
        "OPTIONS": {"sslmode": "prefer"},
    }
}
