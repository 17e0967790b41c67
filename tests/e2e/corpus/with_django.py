"""Applications on Django's ORM, a connection for each request as Django has it by default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from django.db import connection, models, transaction

from corpus import RUNNERS, SIZES, Book, Call
from django_setup import use_database
from server import Target

ORM = Book()
app = ORM.app


class Country(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."countries'  # Django has no schemas; this is the usual way round it


class Author(models.Model):
    name = models.TextField()
    country = models.ForeignKey(Country, models.CASCADE)

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."authors'


class Title(models.Model):
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    title = models.TextField()

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."books'


class Log(models.Model):
    what = models.TextField()
    n = models.IntegerField()

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."log'


def some_authors(n: int, size: int) -> Any:
    return Author.objects.filter(id__gt=n * 3000).order_by("id")[:size]


def lazy_books(size: int) -> Callable[[Any, int], None]:
    return lambda _, n: [len(author.books.all()) for author in some_authors(n, size)]  # type: ignore[func-returns-value,return-value]


def lazy_country(size: int) -> Callable[[Any, int], None]:
    return lambda _, n: [author.country.name for author in some_authors(n, size)]  # type: ignore[func-returns-value,return-value]


for number in SIZES:
    ORM.add(f"lazy-books-{number}", lazy_books(number), "n_plus_one")
    ORM.add(f"lazy-country-{number}", lazy_country(number), "n_plus_one")


@app("lazy-exists", "n_plus_one")
def lazy_exists(_: Any, n: int) -> None:
    assert [author.books.exists() for author in some_authors(n, 10)]


@app("lazy-count", "n_plus_one")
def lazy_count(_: Any, n: int) -> None:
    assert [author.books.count() for author in some_authors(n, 10)]


@app("prefetch", near="n_plus_one")
def prefetch(_: Any, n: int) -> None:
    assert [len(author.books.all()) for author in some_authors(n, 20).prefetch_related("books")]


@app("select-related", near="n_plus_one")
def select_related(_: Any, n: int) -> None:
    assert [author.country.name for author in some_authors(n, 20).select_related("country")]


@app("annotate", near="n_plus_one")
def annotate(_: Any, n: int) -> None:
    books = Title.objects.filter(author=models.OuterRef("pk")).values("author").annotate(n=models.Count("pk"))
    assert [
        author.n_books for author in some_authors(n, 20).annotate(n_books=models.Subquery(books.values("n")))
    ]


@app("get")
def get(_: Any, n: int) -> None:
    assert Author.objects.get(id=(n + 1) * 1013)


@app("get-with-country", near="n_plus_one")
def get_with_country(_: Any, n: int) -> None:
    assert Author.objects.get(id=(n + 1) * 1013).country.name


@app("connection-for-each-request", "connection_churn", times=12)
def each_on_its_own(_: Any, n: int) -> None:
    assert Country.objects.get(id=5017).name


@app("transaction-for-each-read", "transaction_overhead", traced=True)
def transaction_for_each_read(_: Any, n: int) -> None:
    for model, step, base in ((Author, 1013, 0), (Country, 17, 5000), (Title, 7, 100000)):
        with transaction.atomic():
            assert model.objects.get(id=(n + 1) * step + base)


@app("one-transaction", near="transaction_overhead", traced=True)
def one_transaction(_: Any, n: int) -> None:
    with transaction.atomic():
        assert Author.objects.get(id=(n + 1) * 1013)
        assert Country.objects.get(id=(n + 1) * 17 + 5000)


@app("save-in-a-loop", "write_loop")
def save_in_a_loop(_: Any, n: int) -> None:
    with transaction.atomic():
        for i in range(12):
            Log(what="django", n=i).save()


@app("bulk-create", near="write_loop")
def bulk_create(_: Any, n: int) -> None:
    Log.objects.bulk_create([Log(what="django", n=i) for i in range(30)])


@app("whole-table", "unbounded_result")
def whole_table(_: Any, n: int) -> None:
    assert list(Title.objects.values_list("id", "title"))


@app("page", near="unbounded_result")
def page(_: Any, n: int) -> None:
    assert list(Title.objects.order_by("id")[n * 20 : n * 20 + 20])


@app("iterator", near="unbounded_result")
def iterator(_: Any, n: int) -> None:
    assert sum(1 for _ in Title.objects.order_by("id").iterator(chunk_size=400))


def tagger(text: str) -> Any:
    def add_tag(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(sql + text, params, many, context)

    return add_tag


def run(target: Target, calls: Iterable[Call]) -> None:
    with use_database(target):
        for each in calls:
            with connection.execute_wrapper(tagger(each.tag)):
                each.app.request(None, each.n)
            connection.close()


def on_one_connection(target: Target, calls: Iterable[Call]) -> None:
    """As with CONN_MAX_AGE."""
    with use_database(target):
        for each in calls:
            with connection.execute_wrapper(tagger(each.tag)):
                each.app.request(None, each.n)


RUNNERS["django"] = (ORM, run)
