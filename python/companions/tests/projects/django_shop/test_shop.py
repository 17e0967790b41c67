"""What a project has by itself, and budgets."""

import pytest
from shop.models import Book

pytestmark = pytest.mark.usefixtures("books")


@pytest.mark.query_budget(7)
def test_slow_list_within_its_budget(client):
    assert len(client.get("/books/").json()["books"]) >= 6


@pytest.mark.query_budget(6)
def test_slow_list_over_its_budget(client):
    assert len(client.get("/books/").json()["books"]) >= 6


@pytest.mark.query_budget(None)
def test_many_books(client):
    assert client.get("/books/").status_code == 200


@pytest.mark.query_budget(1)
def test_fast_list(client):
    assert len(client.get("/fast-books/").json()["books"]) >= 6


def test_one_book(client):
    first = Book.objects.first()
    assert client.get(f"/books/{first.pk}/").json() == {"title": "book 0"}


@pytest.mark.django_db(transaction=True)
def test_async_view(client):
    assert len(client.get("/later-books/").json()["books"]) >= 6


@pytest.mark.query_budget(6)
def test_loop_of_its_own():
    assert len({book.author.name for book in Book.objects.order_by("id")[:5]}) == 5
