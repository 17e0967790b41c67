"""The same routes without their faults: each answered as its twin answers."""

from __future__ import annotations

from fastapi import APIRouter

TWINS = {
    "/authors-n-plus-one": "/authors",
    "/ratings-n-plus-one": "/ratings",
    "/customers-select-star": "/customers",
    "/books-unbounded": "/books",
}


def cure(router: APIRouter) -> APIRouter:
    """Return a router on which the faulty routes have the functions of their twins.

    The fifth fault is cured in the database: by the index that the report proposes.
    """
    cured = APIRouter(tags=router.tags)
    functions = {route.path.removeprefix(router.prefix): route.endpoint for route in router.routes}
    for path in functions:
        cured.add_api_route(router.prefix + path, functions[TWINS.get(path, path)])
    return cured
