"""Tell pgsleuth which HTTP route and which line of code a statement comes from.

Each statement gets a comment in sqlcommenter's form, after its text. Integrations:

* ``pgsleuth_tags.fastapi.TagMiddleware``     the route, for FastAPI and Starlette
* ``pgsleuth_tags.django.TagMiddleware``      the route and the comment, for Django and its ORM
* ``pgsleuth_tags.flask.init_app``            the route, for Flask
* ``pgsleuth_tags.sqlalchemy.instrument``     the comment, for an Engine or an AsyncEngine
* ``pgsleuth_tags.psycopg.TaggedConnection``  the comment, for psycopg 3 (also TaggedAsyncConnection)
* ``pgsleuth_tags.psycopg2.TaggedCursor``     the comment, for psycopg2
* ``pgsleuth_tags.asyncpg.TaggedConnection``  the comment, for asyncpg
* ``pgsleuth_tags.marks.enable``              tells pgsleuth each connection's request without touching SQL
* ``pgsleuth_tags.manifest.write_manifest``   routes, middleware, pool settings and versions, as a file
"""

from __future__ import annotations

from pgsleuth_tags._callsite import CallSite, Locator
from pgsleuth_tags._comment import append, render
from pgsleuth_tags._request import Endpoint, current_endpoint, new_request_id
from pgsleuth_tags._tagger import Tagger

__all__ = [
    "CallSite",
    "Endpoint",
    "Locator",
    "Tagger",
    "append",
    "current_endpoint",
    "new_request_id",
    "render",
]
__version__ = "0.1.0"
