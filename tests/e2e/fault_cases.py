"""Connections that break while something is done over them: states to strike in, and cases by number."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
from dataclasses import dataclass
from typing import Any

import wire
from fault_jobs import CANARY_BYTES, COPY_LINES, Job, ask, begin_tls, cancel_of, jobs, leave, log_in
from faults import (
    TOLD_S,
    WAIT_S,
    Client,
    EndedError,
    Fault,
    Lane,
    Link,
    Mark,
    Plan,
    Side,
    Way,
    cancelled,
    dial,
)
from server import Target

# --- states ---


@dataclass(frozen=True)
class State:
    """Bytes [begin, end] of one way of a job, between two marks; `inside` leaves out both ends."""

    name: str
    job: str
    way: Way
    begin: str
    end: str
    inside: bool = False
    sides: tuple[Side, ...] = (Side.CLIENT, Side.SERVER)

    def place(self, marks: dict[str, Mark], side: Side, rng: random.Random) -> int:
        low, high = (marks[name].passed[side][self.way] for name in (self.begin, self.end))
        return rng.randint(low + self.inside, high - self.inside)


UP, DOWN = Way.UP, Way.DOWN
CLIENT_ONLY = (Side.CLIENT,)  # the server sees nothing of it; with TLS on the server leg it does
STATES = [
    State("before the first byte", "statements", UP, "start", "start"),
    State("inside the start-up packet", "statements", UP, "start", "start-up sent", True),
    State("inside SSLRequest", "ssl request", UP, "request begins", "request", True, CLIENT_ONLY),
    State("after SSLRequest", "ssl request", UP, "request", "request", False, CLIENT_ONLY),
    State("after the answer to SSLRequest", "ssl request", UP, "start", "start-up sent", True, CLIENT_ONLY),
    State("waiting for authentication", "scram", UP, "start-up sent", "start-up sent"),
    State("inside the offer", "scram", DOWN, "start", "offer", True),
    State("inside SCRAM first", "scram", UP, "start-up sent", "first", True),
    State("inside the challenge", "scram", DOWN, "offer", "challenge"),
    State("inside SCRAM final", "scram", UP, "first", "final", True),
    State("inside the end of the login", "scram", DOWN, "challenge", "logged in", True),
    State("inside the greeting", "statements", DOWN, "start", "logged in", True),
    State("idle", "statements", DOWN, "idle", "idle"),
    State("inside a Query", "statements", UP, "idle", "query sent", True),
    State("waiting for the reply", "statements", UP, "waiting", "waiting"),
    State("in a result", "results", DOWN, "logged in", "result"),
    State("in a DataRow", "results", DOWN, "row begins", "row", True),
    State("in COPY IN", "copy in", UP, "copying", "copied"),
    State("in COPY OUT", "copy out", DOWN, "copying", "copied"),
    State("in a pipeline", "pipeline", UP, "pipeline", "good part", True),
    State("in the replies of a pipeline", "pipeline", DOWN, "pipeline", "error", True),
    State("in the skipped part", "pipeline", UP, "error", "skipped part"),
    State("before the Sync", "pipeline", UP, "no sync", "no sync"),
    State("inside the Sync", "pipeline", UP, "no sync", "synced", True),
    State("in a transaction", "transaction", DOWN, "in transaction", "in transaction"),
    State("cancelled", "cancelled", UP, "waiting", "waiting"),
    State("while it cancels", "cancelling", UP, "start", "end"),
    State("after Terminate", "statements", UP, "terminated", "terminated"),
]
TLS_STATES = [
    State("after SSLRequest, of TLS", "tls statements", UP, "asked", "asked"),
    State("after its answer, of TLS", "tls statements", DOWN, "answered", "answered"),
    State("in the handshake, up, of TLS", "tls statements", UP, "asked", "encrypted"),
    State("in the handshake, down, of TLS", "tls statements", DOWN, "answered", "encrypted"),
    *(
        State(f"{name}, {way.value}, over TLS", f"tls {job}", way, begin, end)
        for way in Way
        for name, job, begin, end in (
            ("start", "statements", "tls begins", "logged in"),
            ("statements", "statements", "logged in", "end"),
            ("results", "results", "logged in", "end"),
        )
    ),
]
WRITING = ("copy in", "transaction")  # jobs that leave COPY_LINES rows when they come to their end


# --- cases ---


@dataclass(frozen=True)
class Case:
    seed: int
    number: int
    state: State
    fault: Fault
    side: Side
    plan: Plan
    canary: str

    def __str__(self) -> str:
        return (
            f"case {self.seed}:{self.number}: {self.fault.value} of the {self.side.value} "
            f"{self.state.name}, after {self.plan.at} bytes {self.plan.way.value}"
        )


def make_case(seed: int, number: int, states: list[State], records: dict[str, Record]) -> Case:
    """Always the same for the same numbers: all combinations in turn, at places that differ."""
    every = [(s, f, side) for s in states for f in Fault for side in s.sides]
    random.Random(seed).shuffle(every)  # noqa: S311
    state, fault, side = every[number % len(every)]
    rng = random.Random(f"{seed}:{number}")  # noqa: S311
    at = state.place(records[state.job].marks, side, rng)
    canary = f"{seed:04d}{number:06d}{rng.getrandbits(56):014x}"
    assert len(canary) == CANARY_BYTES
    return Case(seed, number, state, fault, side, Plan(fault, state.way, at, rng.uniform(0.1, 0.8)), canary)


@dataclass(frozen=True)
class Record:
    """How a job goes when nothing happens to it."""

    canary: str
    got: bytes
    masked: list[tuple[int, int]]
    marks: dict[str, Mark]

    def expected(self, canary: str) -> bytes:
        return self.mask(self.got.replace(self.canary.encode(), canary.encode()))

    def mask(self, data: bytes) -> bytes:
        """Without what differs from login to login."""
        changed = bytearray(data)
        for begin, end in self.masked:
            changed[begin:end] = bytes(len(changed[begin:end]))
        return bytes(changed)


def rows_after(case: Case) -> set[int]:
    if case.fault is Fault.STALL:
        return {COPY_LINES}
    if case.fault is Fault.HALF_CLOSE and case.side is Side.SERVER:
        return {0, COPY_LINES}  # it still hears: all may have been on its way
    return {0}


async def perform(job: Job, c: Client, canary: str) -> bool:
    """Whether the job came to its end; what was still to be read is read in any case."""
    try:
        await job(c, canary)
    except EndedError:
        await c.to_end()
        return False
    return True


class Front:
    """One pgsleuth, each of its listeners in front of a lane; a case has a lane for itself."""

    def __init__(self, target: Target, lanes: list[Lane], ports: list[int], *, tls: bool) -> None:
        self.jobs = jobs(target)
        self.lanes = list(zip(lanes, ports))
        self.tls = tls
        self.states = TLS_STATES if tls else STATES
        self.records: dict[str, Record] = {}
        self.writers: dict[str, set[int]] = {}  # by canary: rows there may be in TABLE

    async def record(self) -> None:
        """Each job once, without a fault."""
        for name in {state.job: None for state in self.states}:
            canary = f"{name[:8].replace(' ', '_'):_<12}{random.getrandbits(48):012x}"
            run = Run(self, self.lanes[0], name, canary)
            await run.play()
            c = run.main
            assert run.finished, f"{name}: {bytes(c.got[-300:])!r}"
            self.records[name] = Record(canary, bytes(c.got), c.masked, c.marks)

    def case(self, seed: int, number: int) -> Case:
        return make_case(seed, number, self.states, self.records)

    async def run_cases(self, cases: list[Case]) -> list[str]:
        """All lanes at once; gives what went wrong."""
        waiting, wrong = iter(cases), []

        async def work(place: tuple[Lane, int]) -> None:
            for case in waiting:
                run = Run(self, place, case.state.job, case.canary, case)
                try:
                    await run.play()
                    run.check()
                except (AssertionError, EndedError, OSError, asyncio.TimeoutError) as error:
                    wrong.append(f"{case}: {type(error).__name__} {error}")
                if case.state.job in WRITING:
                    self.writers[case.canary] = rows_after(case)

        await asyncio.gather(*(work(place) for place in self.lanes))
        return wrong


class Run:
    """A job, with a fault or without, and beside it a session that must not notice."""

    def __init__(
        self, front: Front, place: tuple[Lane, int], name: str, canary: str, case: Case | None = None
    ) -> None:
        self.front = front
        self.lane, self.port = place
        self.name = name
        self.canary = canary
        self.case = case
        self.clients: list[Client] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.number = 0  # of the struck connection to the server
        self.finished = False

    async def play(self) -> None:
        self.lane.begin({})
        try:
            await self._play()
        finally:
            await cancelled(*self.tasks)
            for c in self.clients:
                c.close()
                if c.struck is not None and self.case is not None and self.case.side is Side.CLIENT:
                    c.struck.close()
        await self.lane.finish()

    async def _client(self) -> Client:
        self.clients.append(Client(await dial("127.0.0.1", self.port)))
        return self.clients[-1]

    async def _other(self) -> Client:
        c = await self._client()
        if self.front.tls:
            await begin_tls(c)
        await log_in(c)
        return c

    async def _main(self) -> Client:
        """The client of the job; where the fault is on its side, behind a link."""
        c = await self._client()
        if self.case is None:
            return c
        if self.case.side is Side.SERVER:
            self.lane.plans[self.number] = self.case.plan
        else:
            mine, links = socket.socketpair()
            for end in (mine, links):
                end.setblocking(False)
            c.struck = Link(links, c.peer, Side.SERVER, self.case.plan)
            c.peer = mine
            self.tasks.append(asyncio.create_task(c.struck.run()))
        c.pause_at = self.case.state.begin if self.case.state.begin == self.case.state.end else ""
        return c

    async def _introduce(self) -> None:
        """Tell the client its connection to the server, once there is one."""
        link = await self.lane.link(self.number)
        self.main.to_server = link
        if self.case is not None and self.case.side is Side.SERVER:
            self.main.struck = link

    async def _play(self) -> None:
        bystander = await asyncio.wait_for(self._other(), WAIT_S)
        victim = None
        if self.name == "cancelling":
            victim = await asyncio.wait_for(self._other(), WAIT_S)
            await victim.send(wire.query("SELECT pg_sleep(30)"))
        self.number = len(self.lane.links)
        self.main = await self._main()
        self.main.victim = victim
        introduced = asyncio.create_task(self._introduce())
        self.tasks.append(introduced)
        job = asyncio.create_task(perform(self.front.jobs[self.name], self.main, self.canary))
        beside = asyncio.create_task(self._stand_by(bystander, job))
        if self.name == "cancelled":
            self.tasks.append(asyncio.create_task(self._cancel(self.main, job)))
        try:
            await self._await_end(job, introduced)
            introduced.cancel()  # the next connection is another's
            self.finished = job.result()
            await asyncio.wait_for(beside, WAIT_S)
            if victim is not None:
                await asyncio.wait_for(self._release(victim), WAIT_S)
        finally:
            job.cancel()
            beside.cancel()
            await asyncio.gather(job, beside, return_exceptions=True)

    async def _await_end(self, job: asyncio.Task[bool], introduced: asyncio.Task[None]) -> None:
        if self.case is None:
            await asyncio.wait_for(job, WAIT_S)
            return
        await asyncio.wait({job, introduced}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        link = self.main.struck
        assert link is not None, f"no connection to the server; got {bytes(self.main.got)!r}"
        over = asyncio.create_task(link.over.wait())
        try:
            await asyncio.wait({job, over}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            assert link.due.is_set(), f"it never came to it; {self._position()}"
            await asyncio.wait_for(over, WAIT_S)
            limit_s = WAIT_S if self.case.fault is Fault.STALL else TOLD_S
            _, late = await asyncio.wait({job}, timeout=limit_s)
            assert not late, f"the client is not told within {limit_s} s; {self._position()}"
        finally:
            over.cancel()

    def _position(self) -> str:
        return f"{len(self.main.sent)} bytes sent, {len(self.main.got)} got: {bytes(self.main.got[-100:])!r}"

    async def _stand_by(self, c: Client, job: asyncio.Task[bool]) -> None:
        canary = self.canary[::-1]
        sql = f"SELECT '{canary}', repeat('{canary}', 100)"
        first = await ask(c, sql)
        assert canary.encode() * 100 in first[1].body, "another session's row"
        while not job.done():
            assert await ask(c, sql) == first, "the session beside it got another answer"
            await asyncio.wait({job}, timeout=0.03)
        assert await ask(c, sql) == first, "the session beside it got another answer afterwards"
        await leave(c)
        assert len(c.got) == c.at, "bytes nobody asked for"

    async def _cancel(self, c: Client, end: asyncio.Task[Any]) -> None:
        """Again and again: one that comes before the statement does nothing."""
        while not end.done():
            if c.key and (c.victim is None or c.sent):
                courier = await self._client()
                try:
                    await asyncio.wait_for(self._carry(courier, cancel_of(c)), WAIT_S)
                finally:
                    courier.close()
            await asyncio.wait({end}, timeout=0.1)

    async def _carry(self, courier: Client, request: bytes) -> None:
        try:
            await courier.send(request)
        except EndedError:
            return
        await courier.to_end()
        assert courier.got == b"", "a cancel has no answer"

    async def _release(self, victim: Client) -> None:
        answer = asyncio.create_task(victim.until("Z"))
        await self._cancel(victim, answer)
        (error,) = [m for m in await answer if m.type == "E"]
        assert error.fields()["C"] == "57014"
        await leave(victim)

    # --- afterwards ---

    def check(self) -> None:
        assert self.case is not None
        record = self.front.records[self.name]
        expected, got = record.expected(self.canary), record.mask(bytes(self.main.got))
        arrived = self._at_server(Way.UP)
        if self.case.fault is Fault.STALL:
            assert self.finished, f"not finished; {self._position()}"
            assert got == expected, f"another answer than without the stall; {self._position()}"
            assert arrived is None or arrived == self._sent(), "the server got something else"
            return
        if not expected.startswith(got):
            self._check_refusal(expected)
        down = self._at_server(Way.DOWN)
        if down and self.case.side is Side.CLIENT:
            said = bytes(self.main.got[bytes(self.main.sent[:8]) == wire.SSL_REQUEST :])
            assert down.startswith(said), f"the server said something else; {self._position()}"
        assert arrived is None or self._sent().startswith(arrived), "the server got something else"
        self._check_half_close(got, arrived)

    def _sent(self) -> bytes:
        return bytes(self.main.sent).removeprefix(wire.SSL_REQUEST)

    def _at_server(self, way: Way) -> bytes | None:
        """None where TLS hides it; there the test build's own ledger compares."""
        if self.front.tls:
            return None
        link = self.main.to_server
        return bytes(link.passed[way]) if link is not None else b""

    def _check_refusal(self, expected: bytes) -> None:
        """Instead of an answer: pgsleuth's that there is no server, or the server's to a client that left."""
        assert self.case is not None
        got = bytes(self.main.got)
        answers = wire.split(got[1 if self.front.tls else 0 :])  # 'S' answers SSLRequest
        errors = list(itertools.takewhile(lambda m: m.type == "E", reversed(answers)))
        fields = errors[0].fields() if errors else {}
        if self.case.side is Side.SERVER:
            assert len(answers) == 1, f"a wrong answer; {self._position()}"
            assert fields.get("C") in ("57P03", "08001"), f"a wrong answer; {self._position()}"
            assert fields["M"].startswith("pgsleuth: "), fields
        else:
            assert self.case.fault is Fault.HALF_CLOSE, f"a wrong answer; {self._position()}"
            assert fields.get("S") == "FATAL", f"a wrong answer; {self._position()}"
            before = len(got) - sum(len(m.body) + 5 for m in errors)
            mask = self.front.records[self.name].mask
            assert expected.startswith(mask(got[:before])), f"a wrong answer; {self._position()}"

    def _check_half_close(self, got: bytes, arrived: bytes | None) -> None:
        """It is no loss: all that was said before is passed on."""
        assert self.case is not None
        plan = self.case.plan
        if plan.fault is not Fault.HALF_CLOSE or arrived is None:
            return
        if self.case.side is Side.SERVER and plan.way is Way.DOWN:
            assert len(got) == plan.at, f"the server sent {plan.at} bytes; {self._position()}"
        if self.case.side is Side.CLIENT:
            said = self._at_server(Way.DOWN) or b""
            begin = bytes(self.main.sent[:8]) == wire.SSL_REQUEST
            assert self.main.got[begin:] == said, (
                f"the server still said {len(said)} bytes; {self._position()}"
            )
        if self.case.side is Side.CLIENT and plan.way is Way.UP and arrived:
            said = bytes(self.main.sent[: plan.at]).removeprefix(wire.SSL_REQUEST)
            assert arrived == said, f"the client said {len(said)} bytes, the server got {len(arrived)}"
