"""The same list, asked for badly and well; and one book."""

from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from shop.models import Book


def slow(_request):
    return JsonResponse({"books": [[book.title, book.author.name] for book in Book.objects.order_by("id")]})


def fast(_request):
    books = Book.objects.select_related("author").order_by("id")[:100]
    return JsonResponse({"books": [[book.title, book.author.name] for book in books]})


async def later(_request):
    return JsonResponse({"books": [book.title async for book in Book.objects.order_by("id")[:100]]})


def one(_request, pk):
    return JsonResponse({"title": get_object_or_404(Book, pk=pk).title})


urlpatterns = [
    path("books/", slow),
    path("fast-books/", fast),
    path("later-books/", later),
    path("books/<int:pk>/", one),
]
