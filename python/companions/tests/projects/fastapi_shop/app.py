"""Books by SQLAlchemy: `def` routes over psycopg, one `async def` over asyncpg; a router and a mount."""

import os
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship
from sqlalchemy.pool import NullPool


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()


URL = os.environ["DATABASE_URL"]
engine = create_engine(URL.replace("postgresql://", "postgresql+psycopg://", 1))
# Each test has a loop of its own, and a pool of connections does not outlive its loop.
async_engine = create_async_engine(
    URL.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool
)
app = FastAPI()
admin = FastAPI()
router = APIRouter(prefix="/catalogue")


def session():
    with Session(engine) as made:
        yield made


async def async_session():
    async with AsyncSession(async_engine) as made:
        yield made


Sync = Annotated[Session, Depends(session)]
Async = Annotated[AsyncSession, Depends(async_session)]


@app.get("/books")
def slow(db: Sync):
    return [[book.title, book.author.name] for book in db.scalars(select(Book).order_by(Book.id).limit(100))]


@router.get("/{author_id}/books")
def fast(author_id: int, db: Sync):
    books = select(Book).options(joinedload(Book.author)).where(Book.author_id == author_id).limit(100)
    return [[book.title, book.author.name] for book in db.scalars(books)]


@app.get("/async-books")
async def slow_async(db: Async):
    found = []
    for book in await db.scalars(select(Book).order_by(Book.id).limit(100)):
        author = await db.scalar(select(Author).where(Author.id == book.author_id))
        found.append([book.title, author.name])
    return found


@admin.get("/authors/{author_id}")
def author(author_id: int, db: Sync):
    return {"name": db.get(Author, author_id).name}


app.include_router(router)
app.mount("/admin", admin)
