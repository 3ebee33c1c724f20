"""The cluster with a Redis master, its replica and a Sentinel, and the ways a failover loses answers."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from harness.process import Process
from harness.sentinel import ReplicatedRedis, Sentinel

from faults import nemesis
from faults.cluster import Cluster
from faults.fault import Fault


class ReplicatedCluster(Cluster):
    """Sentinel names the gate; Redis is reached without links, at the address Sentinel tells."""

    @property
    def redis(self) -> ReplicatedRedis:
        return self.sentinel.master

    def _make_gate(self) -> list[Process]:
        master = ReplicatedRedis(appendfsync="always")
        replica = ReplicatedRedis(master, appendfsync="always")
        self.sentinel = Sentinel([master, replica])
        return [master, replica, self.sentinel]

    def _gate_targets(self, _: str) -> dict[str, int]:
        return {}

    def _gate_url(self, _: str) -> str:
        return self.sentinel.gate


@contextmanager
def _kill_master(cluster: ReplicatedCluster, _: random.Random) -> Iterator[None]:
    """The replica is promoted with what it has; the old master comes back as its replica."""
    cluster.sentinel.wait_in_step()
    old = cluster.redis
    old.kill()
    yield
    cluster.sentinel.wait_promoted(other_than=old)
    old.launch()


@contextmanager
def _promote_behind(cluster: ReplicatedCluster, _: random.Random) -> Iterator[None]:
    """The replica is not fed for a while, and is promoted then."""
    cluster.sentinel.wait_in_step()
    old = cluster.redis
    old.admit_replicas(False)
    yield
    old.kill()
    cluster.sentinel.wait_promoted(other_than=old)
    old.launch()


@contextmanager
def _two_masters(cluster: ReplicatedCluster, _: random.Random) -> Iterator[None]:
    """The master stands still until another is promoted, and goes on as if nothing had been."""
    cluster.sentinel.wait_in_step()
    old = cluster.redis
    old.pause()
    try:
        yield
        cluster.sentinel.wait_promoted(other_than=old)
    finally:
        old.resume()


@contextmanager
def _planned_failover(cluster: ReplicatedCluster, _: random.Random) -> Iterator[None]:
    cluster.sentinel.wait_in_step()
    old = cluster.redis
    cluster.sentinel.fail_over()
    yield
    cluster.sentinel.wait_promoted(other_than=old)


@contextmanager
def _pause_sentinel(cluster: ReplicatedCluster, _: random.Random) -> Iterator[None]:
    cluster.sentinel.pause()
    try:
        yield
    finally:
        cluster.sentinel.resume()


FAULTS: dict[str, Fault] = {
    "kill-master": Fault("redis", _kill_master, loses_gate=True),
    "promote-behind": Fault("redis", _promote_behind, loses_gate=True),
    "two-masters": Fault("redis", _two_masters, loses_gate=True),
    "planned-failover": Fault("redis", _planned_failover, loses_gate=True),
    "pause-sentinel": Fault("redis", _pause_sentinel),
    **{name: fault for name, fault in nemesis.FAULTS.items() if fault.part != "redis"},
}
