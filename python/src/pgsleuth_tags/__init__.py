"""Tell pgsleuth which HTTP route and which line of code a statement comes from.

Each statement gets a comment in sqlcommenter's form, after its text. Integrations:

* ``pgsleuth_tags.fastapi.TagMiddleware``    the route, for FastAPI and Starlette
* ``pgsleuth_tags.sqlalchemy.instrument``    the comment, for an Engine or an AsyncEngine
* ``pgsleuth_tags.asyncpg.TaggedConnection`` the comment, for asyncpg without an ORM
"""

from __future__ import annotations

from pgsleuth_tags._callsite import CallSite, Locator
from pgsleuth_tags._comment import append, render
from pgsleuth_tags._tagger import Tagger, current_endpoint

__all__ = ["CallSite", "Locator", "Tagger", "append", "current_endpoint", "render"]
__version__ = "0.1.0"
