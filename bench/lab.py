"""The servers of a run, each started when something first asks for it."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import psycopg
from harness import http
from harness.process import Process
from harness.seonchak import Seonchak
from harness.servers import KafkaServer, PostgresServer, RedisServer, create_database

from bench.peer_servers import Nginx, Spring

P = TypeVar("P", bound=Process)

STOCK_MAX = 10_000_000
POLL_S = 0.02


class Lab:
    """Starts servers on demand and ends them all. Every composition has a Redis of its own.

    `program` is another build than the one under test; it gets names of its own on the broker and the
    database server of `shared`.
    """

    def __init__(self, threads: int = 1, program: Path | None = None, shared: "Lab | None" = None) -> None:
        self.threads = threads
        self.program = program
        self.shared = shared
        self.prefix = "other_" if shared else ""
        self._stack = contextlib.ExitStack()
        self._numbers = iter(range(1_000_000))

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, server: P) -> P:
        """Starts a server that ends with the run."""
        try:
            server.start()
        except RuntimeError:
            server.close()
            raise
        return self._stack.enter_context(server)

    def new_name(self, start: str) -> str:
        """A name that nothing else in this run has."""
        return f"{start}-{next(self._numbers)}"

    def new_redis(self, **options: str | int) -> RedisServer:
        """A Redis that does not rewrite its file in the middle of a measurement."""
        return self.start(RedisServer(auto_aof_rewrite_percentage=0, **options))

    @cached_property
    def kafka(self) -> KafkaServer:
        """The broker, with its JVM's best code, as in production."""
        return self.shared.kafka if self.shared else self.start(KafkaServer(optimized=True))

    @cached_property
    def postgres(self) -> PostgresServer:
        """PostgreSQL that flushes its commits, as in production."""
        return self.shared.postgres if self.shared else self.start(PostgresServer(fsync=True))

    def servers_of(self, redis: RedisServer, topic: str, database: str) -> list[str]:
        """The flags that name the gate, the log and the store."""
        store = create_database(self.postgres.url("postgres"), self.prefix + database)
        log = f"kafka://{self.kafka.address}/{self.prefix}{topic}"
        group = f"{self.prefix}coupon"
        return ["--gate", redis.address, "--log", log, "--log-group", group, "--store", store]

    def serve(self, *flags: str) -> Seonchak:
        """The program under test."""
        flags = ("--threads", str(self.threads), "--log-level", "warn", *flags)
        return self.start(Seonchak(*flags, program=self.program))

    @cached_property
    def redis_api(self) -> RedisServer:
        """The Redis of `api`."""
        return self.new_redis()

    @cached_property
    def api(self) -> Seonchak:
        """Requests and Redis only: nothing relays or saves."""
        return self.serve(*self.servers_of(self.redis_api, "api", "api"), "--roles", "api")

    @cached_property
    def redis_chain(self) -> RedisServer:
        """The Redis of `chain`."""
        return self.new_redis()

    @cached_property
    def chain(self) -> Seonchak:
        """All roles in one process."""
        return self.serve(*self.servers_of(self.redis_chain, "chain", "chain"))

    @cached_property
    def redis_always(self) -> RedisServer:
        """A Redis that flushes its file before it answers."""
        return self.new_redis(appendfsync="always")

    @cached_property
    def always(self) -> Seonchak:
        """`chain` on `redis_always`."""
        return self.serve(*self.servers_of(self.redis_always, "always", "always"))

    @cached_property
    def embedded(self) -> Seonchak:
        """Nothing but the program and a SQLite file."""
        return self.serve()

    @cached_property
    def nginx(self) -> Nginx:
        """The constant answer, and nginx with Lua on a Redis of its own."""
        return self.start(Nginx(self.new_redis()))

    @cached_property
    def spring(self) -> Spring:
        """The origin's design, on the same broker and database server."""
        return self.start(Spring(self.new_redis(), self.kafka, self.postgres))

    @cached_property
    def scratch(self) -> Path:
        """A folder that goes with the run."""
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="seonchak-bench-")))

    def database(self, name: str) -> "psycopg.Connection[tuple]":
        """A connection that commits by itself."""
        return self._stack.enter_context(psycopg.connect(self.postgres.url(name), autocommit=True))


def create(server: Seonchak, coupon: str, stock: int = STOCK_MAX) -> str:
    """Makes a coupon and returns its id."""
    body = {"id": coupon, "name": coupon, "stock": stock}
    reply = http.call(server.address, "POST", "/v1/coupons", body=body)
    if reply.status != 201:
        raise RuntimeError(f"coupon {coupon}: {reply.status} {reply.text}")
    return coupon


def counts(server: Seonchak, coupon: str) -> dict[str, int]:
    """`issued`, `published`, `persisted` and the rest of what the API says of a coupon."""
    return http.call(server.address, "GET", f"/v1/coupons/{coupon}").json()


def say(text: str) -> None:
    """Progress, apart from the results."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def wait_for(done: Callable[[], bool], timeout_s: float) -> float | None:
    """The seconds it took, or None when it did not happen."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > timeout_s:
            return None
        time.sleep(POLL_S)
    return time.monotonic() - began
