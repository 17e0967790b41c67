"""The list has as many books as were asked for."""

import pytest
from django.test import Client


@pytest.mark.parametrize("size", range(10, 40))
def test_list_has_its_size(size: int) -> None:
    answer = Client().get("/books/", {"size": size})
    assert len(answer.json()["books"]) == size
