"""Six books of six authors, in tables that are made once."""

import pytest
from app import Author, Base, Book, app, engine
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def client():
    Base.metadata.create_all(engine)
    with Session(engine) as db:
        db.add_all([Author(id=number + 100, name=f"author {number}") for number in range(6)])
        db.flush()
        db.add_all(
            [Book(id=number + 1, title=f"book {number}", author_id=number + 100) for number in range(6)]
        )
        db.commit()
    return TestClient(app)
