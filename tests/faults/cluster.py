"""A whole installation on one machine: two API processes, two workers, Redis, Kafka and PostgreSQL."""

import json
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import psycopg
from confluent_kafka import Consumer, TopicPartition
from harness import http
from harness.process import Process, start_all
from harness.proxy import Proxy
from harness.seonchak import Seonchak
from harness.servers import KafkaServer, PostgresServer, RedisServer

from faults.history import Contents, Coupon, Event, Row, View

TOPIC = "coupon-issue"
WATCH_EVERY_S = 0.1
READ_TIMEOUT_S = 30.0
TRIM_TIMEOUT_S = 10.0
KILLED = -9
SMALL_DISK = "300m"

LAYOUTS = {
    "split": {"api-1": "api", "api-2": "api", "worker-1": "relay,consumer", "worker-2": "relay,consumer"},
    "whole": {"api-1": "api,relay,consumer", "api-2": "api,relay,consumer"},
}
FAILED_TO_START = 2


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


class Cluster:
    """The servers of one run. A program that ends by itself is started again, as a supervisor would."""

    def __init__(self, layout: str, small_disk: bool) -> None:
        self.redis = RedisServer(appendfsync="always")
        self.kafka = KafkaServer()
        self.postgres = SmallDiskPostgres() if small_disk else PostgresServer()
        roles = LAYOUTS[layout]
        targets = {"kafka": self.kafka.port}
        for name in roles:
            targets |= {f"{name}/redis": self.redis.port, f"{name}/postgres": self.postgres.port}
        self.proxy = Proxy(targets)
        self.kafka.advertised_port = self.proxy.ports["kafka"]
        self.programs: dict[str, Seonchak] = {}
        self.crashes: list[str] = []
        for name, role in roles.items():
            self.programs[name] = Seonchak(*self._flags(name), "--roles", role)
        self._wanted: dict[str, bool] = {}
        self._lock = threading.RLock()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.proxy.start()
        start_all([self.redis, self.kafka, self.postgres])
        self._wanted = dict.fromkeys(self.programs, True)
        start_all(list(self.programs.values()))
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._watcher.is_alive():
            self._watcher.join()
        everything: list[Process] = [*self.programs.values(), self.proxy, self.redis, self.kafka, self.postgres]
        with ExitStack() as stack:
            for process in everything:
                process.resume()
                stack.callback(process.close)
            for program in self.programs.values():
                program.kill()

    @property
    def apis(self) -> dict[str, http.Address]:
        """The addresses of those that answer users."""
        return {name: program.address for name, program in self.programs.items() if "api" in name}

    @property
    def links(self) -> list[str]:
        """The names of the proxy's links."""
        return sorted(self.proxy.ports)

    def named(self, kind: str) -> list[str]:
        """The programs of a kind, "api" or "worker"; those that do both are of both."""
        found = sorted(name for name in self.programs if kind in name)
        return found or sorted(self.programs)

    @contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """kill -9 now; started again at the end, which does not wait until it is ready."""
        with self._lock:
            self._wanted[name] = False
            self.programs[name].kill9()
        try:
            yield
        finally:
            with self._lock:
                self._wanted[name] = True
                self.programs[name].launch()

    def create(self, coupon: Coupon) -> None:
        """Creates a coupon, for certain."""
        body = {"name": coupon.id, "id": coupon.id, "stock": coupon.stock, "ack": coupon.ack}
        reply = http.call(self.programs["api-1"].address, "POST", "/v1/coupons", body=body)
        assert reply.status == 201, reply.text

    def view(self, coupon: str, rng: random.Random) -> View:
        """A coupon as one of the API processes shows it."""
        name = rng.choice(sorted(self.apis))
        body = http.call(self.apis[name], "GET", f"/v1/coupons/{coupon}").json()
        numbers = [-1 if body[key] is None else body[key] for key in ("issued", "published", "persisted")]
        return View(body["stock"], *numbers)

    def contents(self, coupons: list[Coupon]) -> Contents:
        """What Redis, Kafka and PostgreSQL hold."""
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

    def settled_contents(self, coupons: list[Coupon]) -> Contents:
        """The contents once the outbox is trimmed, which happens just after a view shows all persisted."""
        deadline = time.monotonic() + TRIM_TIMEOUT_S
        while any((found := self.contents(coupons)).outbox_entries.values()) and time.monotonic() < deadline:
            time.sleep(WATCH_EVERY_S)
        return found

    def _flags(self, name: str) -> list[str]:
        redis, postgres = (self.proxy.ports[f"{name}/{part}"] for part in ("redis", "postgres"))
        return [
            *("--gate", f"redis://127.0.0.1:{redis}/0"),
            *("--log", f"kafka://127.0.0.1:{self.proxy.ports['kafka']}/{TOPIC}"),
            *("--store", f"postgresql://seonchak@127.0.0.1:{postgres}/seonchak"),
            *("--ack-timeout-ms", "1500"),
        ]

    def _watch(self) -> None:
        while not self._done.wait(WATCH_EVERY_S):
            with self._lock:
                for name, program in self.programs.items():
                    if not self._wanted[name] or program.running:
                        continue
                    if program.exit_code not in (KILLED, FAILED_TO_START):
                        self.crashes.append(f"{name} ended with {program.exit_code}: {program.log_tail()[-1500:]}")
                    program.launch()


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
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_TIMEOUT_S)
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
