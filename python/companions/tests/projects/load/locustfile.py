"""Some of the bookshop's routes, under names as load tests have them."""

import random

from locust import HttpUser, task


class Reader(HttpUser):
    @task
    def authors_badly(self):
        self.client.get(
            f"/orm/authors-n-plus-one?after={random.randrange(2000)}&limit=20", name="/orm/authors-n-plus-one"
        )

    @task
    def authors(self):
        self.client.get("/orm/authors?after=7&limit=20")

    @task
    def orders(self):
        self.client.get(f"/orm/customers/{random.randint(1, 5000)}/orders", name="/orm/customers/:id/orders")

    @task
    def front_page(self):
        self.client.get("/orm/ratings?after=1&limit=20", name="front page")
