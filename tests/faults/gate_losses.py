"""The faults that take from Redis what it has answered."""

import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from faults.cluster import Cluster
from faults.fault import Fault, Struck

RECOVERING = "recovering it"
BEGIN_TIMEOUT_S = 15.0
TAKE_OVER_S = 30.0
POLL_S = 0.02


@contextmanager
def flush(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """Everything is gone at once, behind the same identity."""
    with cluster.redis.client() as client:
        client.flushall()
    yield


@contextmanager
def _empty(cluster: Cluster, _: random.Random) -> Iterator[None]:
    cluster.redis.kill()
    shutil.rmtree(_append_only_files(cluster))
    try:
        yield
    finally:
        cluster.redis.start()


@contextmanager
def _stale(cluster: Cluster, _: random.Random) -> Iterator[None]:
    """Comes back with the append-only file it had when the fault began."""
    kept = cluster.redis.folder / "kept"
    shutil.copytree(_append_only_files(cluster), kept)
    try:
        yield
    finally:
        cluster.redis.kill()
        shutil.rmtree(_append_only_files(cluster))
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


def _destroy(part: str) -> Callable[[Cluster, random.Random], contextlib.AbstractContextManager[None]]:
    @contextmanager
    def inflict(cluster: Cluster, rng: random.Random) -> Iterator[None]:
        with cluster.redis.client() as client:
            client.delete(f"{{coupon:{rng.choice(cluster.coupons).id}}}:{part}")
        yield

    return inflict


@contextmanager
def _hung_recoverer(cluster: Cluster, rng: random.Random) -> Iterator[Struck]:
    """The process that recovers stands still, and wakes up when another has done its work."""
    said = {name: len(cluster.programs[name].log_text()) for name in cluster.apis}
    with flush(cluster, rng):
        pass
    hung = _wait_recovering(cluster, said)
    if hung is None:
        cluster.unhealed.append(f"nobody began to recover within {BEGIN_TIMEOUT_S} s")
        yield Struck()
        return
    cluster.programs[hung].pause()
    began = time.monotonic()
    try:
        if _wait_settled(cluster):
            cluster.take_overs_s.append(time.monotonic() - began)
        else:
            cluster.unhealed.append(f"nobody took over from {hung} within {TAKE_OVER_S} s")
        yield Struck(cut_off=(hung,))
    finally:
        cluster.programs[hung].resume()


def _wait_recovering(cluster: Cluster, said: dict[str, int]) -> str | None:
    deadline = time.monotonic() + BEGIN_TIMEOUT_S
    while time.monotonic() < deadline:
        for name, length in said.items():
            if RECOVERING in cluster.programs[name].log_text()[length:]:
                return name
        time.sleep(POLL_S)
    return None


def _wait_settled(cluster: Cluster) -> bool:
    """Until the store says of every coupon of the run that its gate was recovered."""
    deadline = time.monotonic() + TAKE_OVER_S
    query = "SELECT count(*) FROM coupon WHERE id = ANY (%s) AND epoch <> settled"
    with psycopg.connect(cluster.postgres.address, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(query, [[coupon.id for coupon in cluster.coupons]]).fetchone()
            if row == (0,):
                return True
            time.sleep(POLL_S)
    return False


def _append_only_files(cluster: Cluster) -> Path:
    return cluster.redis.folder / "appendonlydir"


FAULTS: dict[str, Fault] = {
    "flush-redis": Fault("redis", flush, loses_gate=True),
    "empty-redis": Fault("redis", _empty, loses_gate=True),
    "stale-redis": Fault("redis", _stale, loses_gate=True),
    "other-redis-identity": Fault("redis", _other_identity, loses_gate=True),
    "destroy-state": Fault("redis", _destroy("state"), loses_gate=True),
    "destroy-holders": Fault("redis", _destroy("holders"), loses_gate=True),
    "destroy-outbox": Fault("redis", _destroy("outbox"), loses_gate=True),
    "destroy-lease": Fault("redis", _destroy("relay")),
    "hung-recoverer": Fault("redis", _hung_recoverer, loses_gate=True, alone=True),
}
