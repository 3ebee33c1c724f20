"""Redis as it is run for high availability: a master, a replica, and a Sentinel that promotes it."""

import contextlib
import time

import redis

from harness.process import Process
from harness.servers import RedisServer

MASTER_NAME = "coupons"
DOWN_AFTER_MS = 700
PATIENT_DOWN_AFTER_MS = 8_000
FAILOVER_TIMEOUT_MS = 3_000
# One that was stopped does nothing for 30 s (TILT), and tries a failover once in 6 s.
FAILOVER_WAIT_S = 75.0
INFO_PERIOD_MS = 500
PUBLISH_PERIOD_MS = 1_000
POLL_S = 0.05
REPLICATION_USER = "replication"
REPLICATION_PASSWORD = "of-a-test"


class ReplicatedRedis(RedisServer):
    """A Redis with a configuration file, which Sentinel rewrites when it gives it another role."""

    name = "redis-node"

    def __init__(self, master: "ReplicatedRedis | None" = None, **options: str | int) -> None:
        super().__init__(**options)
        self._master = master

    def prepare(self) -> None:
        lines = [f"bind 127.0.0.1\nport {self.port}\ndir {self.folder}"]
        lines += [f'{key.replace("_", "-")} "{value}"' for key, value in self.options.items()]
        lines += [f"user {REPLICATION_USER} on >{REPLICATION_PASSWORD} +psync +replconf +ping"]
        lines += [f"masteruser {REPLICATION_USER}\nmasterauth {REPLICATION_PASSWORD}"]
        lines += ["repl-diskless-sync-delay 0"]
        if self._master is not None:
            lines += [f"replicaof 127.0.0.1 {self._master.port}"]
        (self.folder / "redis.conf").write_text("\n".join([*lines, ""]))

    def command(self) -> list[str]:
        return ["redis-server", str(self.folder / "redis.conf")]

    def is_replica_in_step(self) -> bool:
        """Whether it is connected to its master and has had the first copy of everything."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return client.info("replication").get("master_link_status") == "up"
        return False

    def admit_replicas(self, admit: bool) -> None:
        """Whether this master feeds its replicas; those it does not fall behind."""
        with self.client() as client:
            client.execute_command("ACL", "SETUSER", REPLICATION_USER, "on" if admit else "off")
            if not admit:
                client.execute_command("CLIENT", "KILL", "TYPE", "replica")


class Sentinel(Process):
    """One Sentinel, whose word is enough, for the master MASTER_NAME."""

    name = "sentinel"

    def __init__(self, nodes: list[ReplicatedRedis]) -> None:
        super().__init__()
        self.nodes = nodes

    def prepare(self) -> None:
        lines = [
            f"bind 127.0.0.1\nport {self.port}\ndir {self.folder}",
            f"sentinel monitor {MASTER_NAME} 127.0.0.1 {self.nodes[0].port} 1",
            f"sentinel down-after-milliseconds {MASTER_NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {MASTER_NAME} {FAILOVER_TIMEOUT_MS}",
        ]
        (self.folder / "sentinel.conf").write_text("\n".join([*lines, ""]))

    def command(self) -> list[str]:
        return ["redis-server", str(self.folder / "sentinel.conf"), "--sentinel"]

    @property
    def gate(self) -> str:
        """What the server's --gate takes."""
        return f"redis+sentinel://127.0.0.1:{self.port}/{MASTER_NAME}"

    def client(self) -> redis.Redis:
        """A new client of the Sentinel itself."""
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=5)

    def is_ready(self) -> bool:
        """It has found every node."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            # It looks every 10 s otherwise, and leaves a former master writable for 8 s.
            periods = ("info-period", INFO_PERIOD_MS, "publish-period", PUBLISH_PERIOD_MS)
            client.execute_command("SENTINEL", "DEBUG", *periods)
            replicas = client.execute_command("SENTINEL", "REPLICAS", MASTER_NAME)
            return len(replicas) == len(self.nodes) - 1
        return False

    @property
    def master(self) -> ReplicatedRedis:
        """The node that is the master, as the Sentinel sees it."""
        with self.client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
        return next(node for node in self.nodes if node.port == int(port))

    def fail_over(self) -> None:
        """Begins a failover though the master is well."""
        deadline = time.monotonic() + FAILOVER_WAIT_S
        while True:
            try:
                with self.client() as client:
                    client.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)
                return
            except redis.ResponseError:
                # The last failover is not over, or no replica is known to be well yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)

    def be_patient(self) -> None:
        """From now on no silence of a busy machine makes it promote another node."""
        with self.client() as client:
            client.execute_command(
                "SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", PATIENT_DOWN_AFTER_MS
            )

    def wait_promoted(self, other_than: ReplicatedRedis) -> ReplicatedRedis:
        """Waits until another node is the master, and says so itself."""
        deadline = time.monotonic() + FAILOVER_WAIT_S
        while True:
            master = self.master
            if master is not other_than and _is_master(master):
                return master
            if time.monotonic() > deadline:
                raise RuntimeError(f"no failover in {FAILOVER_WAIT_S} s:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def wait_in_step(self) -> None:
        """Waits until all others follow the master."""
        deadline = time.monotonic() + FAILOVER_WAIT_S
        while not all(node.is_replica_in_step() for node in self.nodes if node is not self.master):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no replica follows in {FAILOVER_WAIT_S} s:\n{self.log_tail()}")
            time.sleep(POLL_S)


def _is_master(node: ReplicatedRedis) -> bool:
    with contextlib.suppress(redis.RedisError), node.client() as client:
        return client.info("replication")["role"] == "master"
    return False
