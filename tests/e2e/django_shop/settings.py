"""The settings of the shop: its database is where DATABASE_URL says."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

_url = urlsplit(os.environ["DATABASE_URL"])

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "nothing is signed"  # noqa: S105
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["shop"]
MIDDLEWARE = ["pgsleuth_tags.django.TagMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _url.hostname,
        "PORT": _url.port,
        "USER": _url.username,
        "PASSWORD": unquote(_url.password or ""),
        "NAME": _url.path.lstrip("/"),
    }
}
FIXED = bool(os.environ.get("SHOP_FIXED"))
