"""Query parameters that both sets of routes take."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

Rows = list[dict[str, Any]]
After = Annotated[int, Query(ge=0, description="the last id of the page before")]
Limit = Annotated[int, Query(ge=1, le=50)]
Genre = Annotated[str, Query(max_length=20)]
Email = Annotated[str, Query(max_length=200)]
