from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, IntegrityError, connection, models, transaction

from django_setup import use_database
from drivers import scenario
from server import Target


class Author(models.Model):
    name = models.TextField(unique=True)

    class Meta:
        app_label = "e2e"


class Book(models.Model):
    title = models.TextField()
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")

    class Meta:
        app_label = "e2e"


@contextmanager
def tables(target: Target, **options: Any) -> Iterator[None]:
    """Django's database is this one, with the tables of the models."""
    with use_database(target, **options):
        with connection.schema_editor() as editor:
            for model in (Author, Book):
                editor.create_model(model)
        try:
            yield
        finally:
            connection.close()  # whatever state it is in
            with connection.schema_editor() as editor:
                for model in (Book, Author):
                    editor.delete_model(model)


def told(error: DatabaseError) -> list[Any]:
    return [type(error).__name__, getattr(error.__cause__, "sqlstate", None), str(error)]


def use_the_orm() -> list[Any]:
    seen: list[Any] = []
    made = Author.objects.bulk_create([Author(name=f"author {n:03}") for n in range(30)])
    Book.objects.bulk_create(
        [Book(title=f"{a.name}, {m}", author=a) for a in made for m in range(3)], batch_size=40
    )
    seen.append([Author.objects.count(), Book.objects.count()])
    seen.append([(b.title, b.author.name) for b in Book.objects.order_by("id")[:10]])
    seen.append([(b.title, b.author.name) for b in Book.objects.select_related("author").order_by("id")[:10]])
    seen.append(
        [(a.name, len(a.books.all())) for a in Author.objects.prefetch_related("books").order_by("id")]
    )
    seen.append(Author.objects.get(name="author 007").name)
    try:
        Author.objects.get(name="nobody")
    except Author.DoesNotExist as missing:
        seen.append(str(missing))
    with transaction.atomic():
        seen.append([b.title for b in Book.objects.order_by("id").iterator(chunk_size=10)])
        try:
            with transaction.atomic():
                Author.objects.create(name="author 001")
        except IntegrityError as error:
            seen.append(told(error))
        seen.append(Author.objects.get_or_create(name="author 001")[1])
    seen.append([b.title for b in Book.objects.order_by("-id").iterator(chunk_size=25)])
    seen.append(Book.objects.filter(author__name__lt="author 003").update(title="%s it's a \\ title"))
    seen.append(
        list(Book.objects.filter(author_id__in=[1, 2, 3]).order_by("id").values_list("title", flat=True))
    )
    seen.append(Book.objects.filter(author__name__startswith="author 02").delete())
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s", ["raw", None])
        seen.append(cursor.fetchall())
        try:
            cursor.execute("SELECT nope")
        except DatabaseError as error:
            seen.append(told(error))
    return seen


@scenario("django_on_psycopg_client_binding")
def client_binding(target: Target) -> list[Any]:
    with tables(target):
        return use_the_orm()


@scenario("django_on_psycopg_server_binding")
def server_binding(target: Target) -> list[Any]:
    with tables(target, server_side_binding=True):
        return use_the_orm()
