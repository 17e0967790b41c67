"""Each user visits all routes in an order of its own, TURNS of them; when all are done, locust ends."""

from __future__ import annotations

import itertools
import os
import random
import sys
from pathlib import Path
from typing import Any

import gevent
from locust import HttpUser, constant, events, task
from locust.exception import StopUser

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from served.plan import ROUTES

TURNS = int(os.environ["TURNS"])
_numbers = itertools.count(1)


class Visitor(HttpUser):
    wait_time = constant(0)

    def on_start(self) -> None:
        self.chance = random.Random(next(_numbers))  # noqa: S311 # the same visits in every run
        self.left = TURNS

    @task
    def visit(self) -> None:
        if self.left == 0:
            raise StopUser
        self.left -= 1
        route = self.chance.choice(list(ROUTES.values()))
        path = route.template.replace("{id}", str(self.chance.randrange(1, 100000)))
        self.client.request(route.method, path, name=route.template)


@events.init.add_listener
def end_with_the_last_user(environment: Any, **_: Any) -> None:
    def wait() -> None:
        while environment.runner.user_count > 0:
            gevent.sleep(0.05)
        environment.runner.quit()

    environment.events.spawning_complete.add_listener(lambda **_: gevent.spawn(wait))
