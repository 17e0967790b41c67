"""Django's test database with forty books in it."""

import os
from collections.abc import Iterator

import django
import pytest
from django.test.utils import setup_databases, teardown_databases

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from shop.models import Author, Book  # noqa: E402 # Django wants to be set up first


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[None]:
    made = setup_databases(verbosity=0, interactive=False)
    authors = Author.objects.bulk_create(Author(name=f"author {n}") for n in range(40))
    Book.objects.bulk_create(Book(title=f"book of {author.name}", author=author) for author in authors)
    yield
    teardown_databases(made, verbosity=0)
