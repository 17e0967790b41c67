"""``uvicorn app.main:app`` with DATABASE_URL in the environment."""

from __future__ import annotations

from fastapi import FastAPI
from pgsleuth_tags.fastapi import TagMiddleware

from app import orm, raw

app = FastAPI(title="bookshop", lifespan=raw.open_pool)
app.add_middleware(TagMiddleware)
app.include_router(orm.router)
app.include_router(raw.router)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the application runs; the database is not asked."""
    return {"status": "ok"}
