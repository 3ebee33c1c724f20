"""A whole installation on one machine: two API processes, two workers, Redis, Kafka and PostgreSQL."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, TopicPartition
from harness.process import Process
from harness.proxy import Proxy
from harness.seonchak import Seonchak, run_command
from harness.servers import KafkaServer, PostgresServer, RedisServer
from harness.skewed_clock import SkewedClock

from faults.history import Contents, Coupon, Event, Row
from faults.installation import Installation

TOPIC = "coupon-issue"
POLL_S = 0.1
READ_TIMEOUT_S = 30.0
TRIM_TIMEOUT_S = 10.0
AUDIT_TEXT_MAX = 2_000
AUDIT_TIMEOUT_S = 180.0
SMALL_DISK = "300m"

LAYOUTS = {
    "split": {"api-1": "api", "api-2": "api", "worker-1": "relay,consumer", "worker-2": "relay,consumer"},
    "whole": {"api-1": "api,relay,consumer", "api-2": "api,relay,consumer"},
    "roles": {"api-1": "api", "api-2": "api", "relay-1": "relay", "consumer-1": "consumer"},
}


class SmallDiskPostgres(PostgresServer):
    """PostgreSQL on a disk of its own that can be filled. Needs the right to mount."""

    def prepare(self) -> None:
        _mount(self.folder)
        super().prepare()

    def command(self) -> list[str]:
        return [*super().command(), "-c", "min_wal_size=32MB", "-c", "max_wal_size=64MB"]

    def close(self) -> None:
        self.stop()
        subprocess.run(["umount", "--lazy", self.folder], check=False, capture_output=True)
        super().close()


def can_mount() -> bool:
    """Whether this user may mount a small disk here."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _mount(Path(folder))
        except (subprocess.CalledProcessError, FileNotFoundError):
            return False
        subprocess.run(["umount", folder], check=True)
        return True


def _mount(folder: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


class Cluster(Installation):
    """The servers of one run. Each program reaches Redis and PostgreSQL through links of its own.

    `skewed`: Redis and the programs have clocks of their own, which can be set.
    """

    def __init__(self, layout: str, small_disk: bool, skewed: bool = False) -> None:
        super().__init__()
        self.gate_clock = SkewedClock() if skewed else None
        self.clocks: dict[str, SkewedClock] = {}
        self.kafka = KafkaServer()
        self.postgres = SmallDiskPostgres() if small_disk else PostgresServer()
        roles = LAYOUTS[layout]
        self._gate_servers = self._make_gate()
        targets = {"kafka": self.kafka.port}
        for name in roles:
            targets |= self._gate_targets(name) | {f"{name}/postgres": self.postgres.port}
        self.proxy = Proxy(targets)
        self.kafka.advertised_port = self.proxy.ports["kafka"]
        self.servers = [self.proxy, *self._gate_servers, self.kafka, self.postgres]
        for name, role in roles.items():
            if skewed:
                self.clocks[name] = SkewedClock()
            variables = self.clocks[name].variables if skewed else {}
            self.programs[name] = Seonchak(*self._flags(name), "--roles", role, variables=variables)
            self.roles[name] = set(role.split(","))

    @property
    def redis(self) -> RedisServer:
        """The Redis that is the gate."""
        return self._redis

    def _make_gate(self) -> list[Process]:
        self._redis = RedisServer(self.gate_clock, appendfsync="always")
        return [self._redis]

    def _gate_targets(self, program: str) -> dict[str, int]:
        return {f"{program}/redis": self.redis.port}

    def _gate_url(self, program: str) -> str:
        return f"redis://127.0.0.1:{self.proxy.ports[f'{program}/redis']}/0"

    def close(self) -> None:
        super().close()
        for clock in (*self.clocks.values(), *([self.gate_clock] if self.gate_clock else [])):
            clock.close()

    @property
    def links(self) -> list[str]:
        """The names of the proxy's links."""
        return sorted(self.proxy.ports)

    def contents(self, coupons: list[Coupon]) -> Contents:
        """What they hold once the outbox is trimmed, which happens just after all is shown as persisted."""
        deadline = time.monotonic() + TRIM_TIMEOUT_S
        while True:
            found = self._contents_now(coupons)
            if not any(found.outbox_entries.values()) or time.monotonic() > deadline:
                return found
            time.sleep(POLL_S)

    def audit(self) -> list[str]:
        """What `seonchak audit` complains of, through the links of one of the programs."""
        urls = self._urls(next(iter(self.programs)))
        try:
            done = run_command("audit", *urls, timeout_s=AUDIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return [f"the audit has not ended within {AUDIT_TIMEOUT_S} s"]
        return [] if done.returncode == 0 else [done.stdout[-AUDIT_TEXT_MAX:] + done.stderr[-AUDIT_TEXT_MAX:]]

    def unsettled(self) -> int:
        """Of how many coupons the store does not say that their gate was recovered."""
        query = "SELECT count(*) FROM coupon WHERE epoch <> settled"
        with psycopg.connect(self.postgres.address) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]

    def _contents_now(self, coupons: list[Coupon]) -> Contents:
        found = Contents(rows=read_rows(self.postgres.address), events=read_events(self.kafka.address, TOPIC))
        with self.redis.client() as client:
            found.holders = {
                coupon.id: {
                    user: int(held.split(":")[0])
                    for user, held in client.hgetall(f"{{coupon:{coupon.id}}}:holders").items()
                }
                for coupon in coupons
            }
            found.outbox_entries = {
                coupon.id: client.xlen(f"{{coupon:{coupon.id}}}:outbox") for coupon in coupons
            }
        return found

    def _flags(self, name: str) -> list[str]:
        return [*self._urls(name), "--ack-timeout-ms", "1500"]

    def _urls(self, name: str) -> list[str]:
        postgres = self.proxy.ports[f"{name}/postgres"]
        return [
            *("--gate", self._gate_url(name)),
            *("--log", f"kafka://127.0.0.1:{self.proxy.ports['kafka']}/{TOPIC}"),
            *("--store", f"postgresql://seonchak@127.0.0.1:{postgres}/seonchak"),
        ]


def read_rows(database: str) -> list[Row]:
    """Every row of user_coupon."""
    query = (
        "SELECT coupon_id, user_id, sequence, epoch, extract(epoch FROM issued_at)::float8,"
        " extract(epoch FROM saved_at)::float8 FROM user_coupon"
    )
    with psycopg.connect(database) as connection:
        return [Row(*row) for row in connection.execute(query).fetchall()]


def read_events(brokers: str, topic: str) -> list[Event]:
    """The whole topic, one partition after another; each coupon is in one of them."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "checker", "enable.auto.commit": False})
    found: list[Event] = []
    deadline = time.monotonic() + READ_TIMEOUT_S
    try:
        for partition in consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic].partitions:
            whole = TopicPartition(topic, partition)
            low, high = consumer.get_watermark_offsets(whole, timeout=READ_TIMEOUT_S)
            consumer.assign([TopicPartition(topic, partition, low)])
            offset = low
            while offset < high:
                assert time.monotonic() < deadline, f"the topic ends at {high}, read up to {offset}"
                for message in consumer.consume(5_000, timeout=0.5):
                    assert message.error() is None, message.error()
                    offset = message.offset() + 1
                    found.append(_event(message))
    finally:
        consumer.close()
    return found


def _event(message: "object") -> Event:
    headers = dict(message.headers())  # type: ignore[attr-defined]
    coupon, epoch, sequence = headers["ce_id"].decode().rsplit(":", 2)
    value = json.loads(message.value())  # type: ignore[attr-defined]
    assert (value["couponId"], value["sequence"]) == (coupon, int(sequence)), (headers, value)
    assert message.key().decode() == coupon  # type: ignore[attr-defined]
    return Event(coupon, value["userId"], int(sequence), int(epoch), message.timestamp()[1] / 1000)  # type: ignore[attr-defined]
