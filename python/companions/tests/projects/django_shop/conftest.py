"""Books, each of another author: six, or as many as SHOP_BOOKS says."""

import os

import pytest
from shop.models import Author, Book


@pytest.fixture
def books(db):
    Author.objects.create(name="nobody")  # so that no book has the id of its author
    for number in range(int(os.environ.get("SHOP_BOOKS", "6"))):
        author = Author.objects.create(name=f"author {number}")
        Book.objects.create(title=f"book {number}", author=author)
