"""``uvicorn app.main:app`` with DATABASE_URL in the environment."""

from __future__ import annotations

from fastapi import FastAPI
from pgsleuth_tags.fastapi import TagMiddleware

from app import orm, raw
from app.cured import cure
from app.settings import is_cured

app = FastAPI(title="bookshop", lifespan=raw.open_pool)
app.add_middleware(TagMiddleware)
for router in (orm.router, raw.router):
    app.include_router(cure(router) if is_cured() else router)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the application runs; the database is not asked."""
    return {"status": "ok"}
