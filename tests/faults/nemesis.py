"""The faults of a cluster. Each is a context: inflicted at its beginning, healed at its end."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from harness.process import Process
from harness.proxy import Mode
from harness.servers import create_topic

from faults import gate_losses
from faults.cluster import TOPIC, Cluster
from faults.fault import Fault, Struck

BUSY_S = 1.2
DELAY_MS = (20, 400)
ROOM_BYTES = 100_000
EMPTIED_S = 30.0
SKEWS_S = (-7_200.0, -30.0, 30.0, 7_200.0)
SET_RIGHT_SHARE = 0.5
ADMIN_TIMEOUT_S = 20.0

FULL_POSTGRES_DISK = "full-postgres-disk"

Inflict = Callable[[Cluster, random.Random], AbstractContextManager[Struck | None]]


def _kill_program(*roles: str) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[Struck]:
        name = rng.choice(cluster.having(*roles))
        with cluster.killed(name):
            yield Struck(killed=(name,))

    return inflict


def _pause_program(*roles: str, every: bool = False) -> Inflict:
    """Stops one of the programs with these roles, or every one."""

    @contextmanager
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[Struck]:
        names = cluster.having(*roles)
        if not every:
            names = [rng.choice(names)]
        for name in names:
            cluster.programs[name].pause()
        try:
            yield Struck(cut_off=tuple(names))
        finally:
            for name in names:
                cluster.programs[name].resume()

    return inflict


def _pause(choose: Callable[[Cluster], Process]) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, _: random.Random) -> Iterator[None]:
        process = choose(cluster)
        process.pause()
        try:
            yield
        finally:
            process.resume()

    return inflict


def _kill(choose: Callable[[Cluster], Process]) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, _: random.Random) -> Iterator[None]:
        choose(cluster).kill()
        try:
            yield
        finally:
            choose(cluster).start()

    return inflict


@contextmanager
def _flush_scripts(cluster: Cluster, _: random.Random) -> Iterator[None]:
    with cluster.redis.client() as client:
        client.script_flush()
        yield
        client.script_flush()


@contextmanager
def _drop_gate_connections(cluster: Cluster, _: random.Random) -> Iterator[None]:
    with cluster.redis.client() as client:
        for _ in range(3):
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            time.sleep(0.1)
    yield


@contextmanager
def _busy_script(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """A script of bounded time; others are told BUSY after 0.1 s."""
    with cluster.redis.client() as client, contextlib.suppress(redis.RedisError):
        client.config_set("busy-reply-threshold", 100)
        loop = "local t = os.clock() while os.clock() - t < tonumber(ARGV[1]) do end return 1"
        client.eval(loop, 0, BUSY_S)
    yield


def _setting(name: str, bad: str | int, good: str | int) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, _: random.Random) -> Iterator[None]:
        with cluster.redis.client() as client:
            client.config_set(name, bad)
        try:
            yield
        finally:
            with cluster.redis.client() as client:
                client.config_set(name, good)

    return inflict


@contextmanager
def _failed_snapshot(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """A snapshot that cannot be written: Redis refuses every write (MISCONF) until one succeeds."""
    obstacle = cluster.redis.folder / "dump.rdb"
    if obstacle.is_file():
        obstacle.unlink()
    obstacle.mkdir()
    with cluster.redis.client() as client:
        client.config_set("save", "3600 1000000")
        client.bgsave()
        _until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
    try:
        yield
    finally:
        obstacle.rmdir()
        with cluster.redis.client() as client:
            client.bgsave()
            _until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok")
            client.config_set("save", "")


@contextmanager
def _remade_topic(cluster: Cluster, _: random.Random) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": cluster.kafka.address, "log_level": 0})
    for done in admin.delete_topics([TOPIC], operation_timeout=ADMIN_TIMEOUT_S).values():
        with contextlib.suppress(KafkaException):
            done.result(ADMIN_TIMEOUT_S)
    try:
        yield
    finally:
        with contextlib.suppress(KafkaException):
            create_topic(cluster.kafka.address, TOPIC)


@contextmanager
def _dropped_sessions(cluster: Cluster, _: random.Random) -> Iterator[None]:
    others = "datname = 'seonchak' AND pid <> pg_backend_pid()"
    query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    for _ in range(3):
        with psycopg.connect(cluster.postgres.address, connect_timeout=5) as connection:
            connection.execute(query)
        time.sleep(0.1)
    yield


@contextmanager
def _locked_table(cluster: Cluster, _: random.Random) -> Iterator[None]:
    with psycopg.connect(cluster.postgres.address, connect_timeout=5) as connection:
        connection.execute("LOCK TABLE user_coupon IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def _full_disk(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """No room for the database; a server that gave up is started again when there is room."""
    filler = cluster.postgres.folder / "filler"
    _fill(filler)
    try:
        yield
    finally:
        filler.unlink()
        if not cluster.postgres.running:
            cluster.postgres.start()
        cluster.postgres.wait_ready()


def _link(mode: Mode) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[Struck]:
        link = rng.choice(cluster.links)
        cluster.proxy.set(link, mode, rng.randint(*DELAY_MS) if mode == "delay" else 0)
        program, _, server = link.partition("/")
        try:
            # Who cannot reach Redis can still tell the store.
            yield Struck(cut_off=(program,) if server == "postgres" else ())
        finally:
            cluster.proxy.set(link, "pass")

    return inflict


@contextmanager
def _fill_redis(cluster: Cluster, rng: random.Random) -> Iterator[Struck]:
    """No room in Redis while nothing empties the outboxes; then they must be emptied without more room."""
    workers = [name for name in cluster.having("relay", "consumer") if name not in cluster.apis]
    with cluster.redis.client() as client:
        for name in workers:
            cluster.programs[name].pause()
        try:
            client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM_BYTES)
            yield Struck(cut_off=tuple(workers))
        finally:
            for name in workers:
                cluster.programs[name].resume()
        try:
            if not cluster.wait_saved(rng, EMPTIED_S):
                cluster.unhealed.append(f"a full Redis kept issued coupons for more than {EMPTIED_S} s")
        finally:
            client.config_set("maxmemory", 0)


@contextmanager
def _skew_redis(cluster: Cluster, rng: random.Random) -> Iterator[None]:
    assert cluster.gate_clock is not None
    cluster.gate_clock.set(rng.choice(SKEWS_S))
    try:
        yield
    finally:
        cluster.gate_clock.set(0)


@contextmanager
def _skew_program(cluster: Cluster, rng: random.Random) -> Iterator[None]:
    """One program is in another time, for good or bad, until the next of these faults."""
    clock = cluster.clocks[rng.choice(sorted(cluster.clocks))]
    clock.set(rng.choice(SKEWS_S))
    yield
    if rng.random() < SET_RIGHT_SHARE:
        clock.set(0)


def _fill(path: Path) -> None:
    for size in (1 << 20, 1 << 12):
        with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * size)


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while not check():
        assert time.monotonic() < deadline, "the fault could not be inflicted or healed"
        time.sleep(0.05)


FAULTS: dict[str, Fault] = {
    **gate_losses.FAULTS,
    "kill-api": Fault("api", _kill_program("api")),
    "kill-worker": Fault("worker", _kill_program("relay", "consumer")),
    "pause-api": Fault("api", _pause_program("api")),
    "pause-worker": Fault("worker", _pause_program("relay", "consumer")),
    "stop-every-api": Fault("api", _pause_program("api", every=True)),
    "stop-every-relay": Fault("worker", _pause_program("relay", every=True)),
    "stop-every-consumer": Fault("worker", _pause_program("consumer", every=True)),
    "kill-redis": Fault("redis", _kill(lambda c: c.redis)),
    "pause-redis": Fault("redis", _pause(lambda c: c.redis)),
    "drop-redis-connections": Fault("redis", _drop_gate_connections),
    "flush-scripts": Fault("redis", _flush_scripts),
    "busy-redis": Fault("redis", _busy_script),
    "full-redis": Fault("redis", _setting("maxmemory", 1, 0)),
    "fill-redis": Fault("redis", _fill_redis, alone=True),
    "skew-redis": Fault("redis", _skew_redis, moves_clocks=True),
    "skew-program": Fault("clock", _skew_program, moves_clocks=True),
    "redis-without-replicas": Fault("redis", _setting("min-replicas-to-write", 1, 0)),
    "redis-failed-snapshot": Fault("redis", _failed_snapshot),
    "kill-kafka": Fault("kafka", _kill(lambda c: c.kafka)),
    "pause-kafka": Fault("kafka", _pause(lambda c: c.kafka)),
    "remake-topic": Fault("kafka", _remade_topic, remakes_log=True),
    "kill-postgres": Fault("postgres", _kill(lambda c: c.postgres)),
    "pause-postgres": Fault("postgres", _pause(lambda c: c.postgres)),
    "drop-postgres-sessions": Fault("postgres", _dropped_sessions),
    "lock-table": Fault("postgres", _locked_table),
    FULL_POSTGRES_DISK: Fault("postgres", _full_disk),
    "cut-link": Fault("link", _link("cut")),
    "stall-link": Fault("link", _link("stall")),
    "mute-link": Fault("link", _link("mute")),
    "delay-link": Fault("link", _link("delay")),
    "reset-link": Fault("link", _link("reset")),
}
