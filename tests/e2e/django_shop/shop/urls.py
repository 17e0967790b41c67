"""One page."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path

from shop.models import Book


def books(request: HttpRequest) -> JsonResponse:
    found = Book.objects.order_by("id")
    if settings.FIXED:
        found = found.select_related("author")
    page = found[: int(request.GET["size"])]
    return JsonResponse({"books": [[book.title, book.author.name] for book in page]})


urlpatterns = [path("books/", books)]
