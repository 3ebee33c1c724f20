"""The faults of a cluster. Each is a context: inflicted at its beginning, healed at its end."""

import contextlib
import random
import shutil
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

from faults.cluster import TOPIC, Cluster
from faults.fault import Fault

BUSY_S = 1.2
DELAY_MS = (20, 400)
ADMIN_TIMEOUT_S = 20.0

FULL_POSTGRES_DISK = "full-postgres-disk"

Inflict = Callable[[Cluster, random.Random], AbstractContextManager[None]]


def _kill_program(kind: str) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[None]:
        with cluster.killed(rng.choice(cluster.named(kind))):
            yield

    return inflict


def _pause(choose: Callable[[Cluster, random.Random], Process]) -> Inflict:
    @contextmanager
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[None]:
        process = choose(cluster, rng)
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
def _flush_redis(cluster: Cluster, _: random.Random) -> Iterator[None]:
    with cluster.redis.client() as client:
        client.flushall()
    yield


@contextmanager
def _empty_redis(cluster: Cluster, _: random.Random) -> Iterator[None]:
    cluster.redis.kill()
    _remove_append_only_files(cluster)
    try:
        yield
    finally:
        cluster.redis.start()


@contextmanager
def _stale_redis(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """Comes back with the append-only file it had when the fault began."""
    kept = cluster.redis.folder / "kept"
    shutil.copytree(_append_only_files(cluster), kept)
    try:
        yield
    finally:
        cluster.redis.kill()
        _remove_append_only_files(cluster)
        kept.rename(_append_only_files(cluster))
        cluster.redis.start()


@contextmanager
def _other_identity(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """A read-only replica of nobody for a while, then a master of another replication id."""
    with cluster.redis.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        with cluster.redis.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")


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
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[None]:
        link = rng.choice(cluster.links)
        cluster.proxy.set(link, mode, rng.randint(*DELAY_MS) if mode == "delay" else 0)
        try:
            yield
        finally:
            cluster.proxy.set(link, "pass")

    return inflict


def _append_only_files(cluster: Cluster) -> Path:
    return cluster.redis.folder / "appendonlydir"


def _remove_append_only_files(cluster: Cluster) -> None:
    shutil.rmtree(_append_only_files(cluster))


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
    "kill-api": Fault("api", _kill_program("api")),
    "kill-worker": Fault("worker", _kill_program("worker")),
    "pause-api": Fault("api", _pause(lambda c, rng: c.programs[rng.choice(c.named("api"))])),
    "pause-worker": Fault("worker", _pause(lambda c, rng: c.programs[rng.choice(c.named("worker"))])),
    "kill-redis": Fault("redis", _kill(lambda c: c.redis)),
    "pause-redis": Fault("redis", _pause(lambda c, _: c.redis)),
    "drop-redis-connections": Fault("redis", _drop_gate_connections),
    "flush-scripts": Fault("redis", _flush_scripts),
    "busy-redis": Fault("redis", _busy_script),
    "full-redis": Fault("redis", _setting("maxmemory", 1, 0)),
    "redis-without-replicas": Fault("redis", _setting("min-replicas-to-write", 1, 0)),
    "redis-failed-snapshot": Fault("redis", _failed_snapshot),
    "flush-redis": Fault("redis", _flush_redis, loses_gate=True),
    "empty-redis": Fault("redis", _empty_redis, loses_gate=True),
    "stale-redis": Fault("redis", _stale_redis, loses_gate=True),
    "other-redis-identity": Fault("redis", _other_identity, loses_gate=True),
    "kill-kafka": Fault("kafka", _kill(lambda c: c.kafka)),
    "pause-kafka": Fault("kafka", _pause(lambda c, _: c.kafka)),
    "remake-topic": Fault("kafka", _remade_topic, remakes_log=True),
    "kill-postgres": Fault("postgres", _kill(lambda c: c.postgres)),
    "pause-postgres": Fault("postgres", _pause(lambda c, _: c.postgres)),
    "drop-postgres-sessions": Fault("postgres", _dropped_sessions),
    "lock-table": Fault("postgres", _locked_table),
    FULL_POSTGRES_DISK: Fault("postgres", _full_disk),
    "cut-link": Fault("link", _link("cut")),
    "stall-link": Fault("link", _link("stall")),
    "mute-link": Fault("link", _link("mute")),
    "delay-link": Fault("link", _link("delay")),
    "reset-link": Fault("link", _link("reset")),
}
