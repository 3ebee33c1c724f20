"""`./dev bench recovery`: how long a lost gate is away, and what coupons ever made cost when nobody asks.

Each point is a FLUSHALL while one user asks again and again: the time until the first answer other than
503. With SEONCHAK_BINARY another program is measured.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Consumer, TopicPartition
from harness import coupons
from harness.closed_coupons import add_closed_coupons
from harness.process import ROOT
from harness.record_batch import produce_copies
from harness.seonchak import Seonchak
from harness.servers import KafkaServer, PostgresServer, RedisServer, create_database, create_topic

from bench.cpu import cpu_seconds, rss_bytes
from bench.lab import say

LIVE = "live"
COUPONS = (1_000, 10_000, 100_000)
HOLDERS = (10_000, 100_000, 1_000_000, 2_000_000)
UNREAD = (10_000, 100_000, 1_000_000, 5_000_000)
BACK_MAX_S = 300.0
SETTLED_S = 20.0
IDLE_S = 20.0
KAFKA_TIMEOUT_S = 30.0

INSERT_HOLDERS = """
INSERT INTO user_coupon (coupon_id, user_id, sequence, issued_at, epoch)
SELECT %s, 'holder-' || n, n, now(), 1 FROM generate_series(%s::bigint, %s::bigint) AS n
"""


@dataclass
class Shop:
    """One server with all roles, on a Redis, a topic and a database of its own, and a coupon that is open."""

    server: Seonchak
    redis: RedisServer
    postgres: PostgresServer
    database: str
    brokers: str
    topic: str

    def lose_the_gate(self) -> float:
        """Seconds from FLUSHALL until a holder has his coupon again."""
        with self.redis.client() as client:
            client.flushall()
        began = time.monotonic()
        reply = coupons.answer(self.server, LIVE, "first", within_s=BACK_MAX_S)
        took = time.monotonic() - began
        if reply.status != 200:
            raise RuntimeError(f"the holder was told {reply.status}: {reply.text}")
        return took

    def commits(self) -> int:
        with psycopg.connect(self.database) as connection:
            query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            row = connection.execute(query).fetchone()
        if row is None:
            raise RuntimeError("the database has no statistics")
        return row[0]


class Servers:
    """Kafka and PostgreSQL for all points; a Redis for each."""

    def __init__(self, kafka: KafkaServer, postgres: PostgresServer) -> None:
        self._kafka, self._postgres, self._count = kafka, postgres, 0

    @contextmanager
    def shop(self, roles: str = "api,relay,consumer", stock: int = 3_000_000) -> Iterator[Shop]:
        """A shop with one holder, who is called `first`; with a consumer his row is in the database."""
        self._count += 1
        name = f"recovery{self._count}"
        database = create_database(self._postgres.address, name)
        create_topic(self._kafka.address, name)
        with RedisServer() as redis:
            log = f"kafka://{self._kafka.address}/{name}"
            flags = ("--gate", redis.address, "--log", log, "--store", database, "--log-group", name)
            with Seonchak("--log-level", "warn", "--roles", roles, *flags) as server:
                coupons.create(server, LIVE, stock)
                issued = coupons.issue_to(server, LIVE, ["first"])
                if "consumer" in roles:
                    coupons.wait_for_rows(database, LIVE, issued)
                yield Shop(server, redis, self._postgres, database, self._kafka.address, name)


def by_coupons(servers: Servers, counts: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    """Closed coupons beside the live one; what they cost when nobody asks, and how long it is away."""
    points = []
    for count in counts:
        with servers.shop() as shop:
            with shop.redis.client() as client:
                add_closed_coupons(shop.database, client, shop.server.address, count, LIVE)
            time.sleep(SETTLED_S)
            point: dict[str, Any] = {"x": count, **idle(shop)}
            point["back_s"] = statistics.median(shop.lose_the_gate() for _ in range(rounds))
        points.append(point)
        say(f"coupons: {point}")
    return points


def idle(shop: Shop) -> dict[str, float]:
    """What nobody's asking costs."""
    redis_s, server_s = cpu_seconds(shop.redis.pid), cpu_seconds(shop.server.pid)
    commands, commits, began = shop.redis.commands_run(), shop.commits(), time.monotonic()
    time.sleep(IDLE_S)
    took = time.monotonic() - began
    return {
        "commands_per_s": (shop.redis.commands_run() - commands) / took,
        "commits_per_s": (shop.commits() - commits) / took,
        "redis_cpu_percent": (cpu_seconds(shop.redis.pid) - redis_s) / took * 100,
        "server_cpu_percent": (cpu_seconds(shop.server.pid) - server_s) / took * 100,
        "rss_mb": rss_bytes(shop.server.pid) / 1e6,
    }


def by_holders(servers: Servers, counts: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    """Rows of the live coupon that are in the database."""
    points = []
    for count in counts:
        with servers.shop() as shop:
            with psycopg.connect(shop.database) as connection:
                connection.execute(INSERT_HOLDERS, [LIVE, 2, count])
            point = {"x": count, "back_s": statistics.median(shop.lose_the_gate() for _ in range(rounds))}
        points.append(point)
        say(f"holders: {point}")
    return points


def by_unread(servers: Servers, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Events that no consumer has read: copies of the only one there is."""
    points = []
    for count in counts:
        with servers.shop("api,relay") as shop:
            deadline = time.monotonic() + KAFKA_TIMEOUT_S
            while coupons.view(shop.server, LIVE)["published"] < 1:
                if time.monotonic() > deadline:
                    raise RuntimeError("the event was not published")
                time.sleep(0.05)
            repeat_the_only_event(shop, count)
            point = {"x": count, "back_s": shop.lose_the_gate()}
        points.append(point)
        say(f"unread: {point}")
    return points


def repeat_the_only_event(shop: Shop, count: int) -> None:
    """Appends copies of it to the topic."""
    reader = Consumer({"bootstrap.servers": shop.brokers, "group.id": "copies", "enable.auto.commit": False})
    try:
        reader.assign([TopicPartition(shop.topic, 0, 0)])
        event = reader.poll(KAFKA_TIMEOUT_S)
        if event is None or event.error():
            raise RuntimeError("the event cannot be read")
        produce_copies(shop.brokers, shop.topic, count, event.key(), event.value(), event.headers())
    finally:
        reader.close()


def main() -> int:
    """Measures, prints and keeps the points."""
    parser = argparse.ArgumentParser(prog="./dev bench recovery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="losses of the gate for a point (median)")
    parser.add_argument("--max", type=int, default=5_000_000, help="leave out larger points")
    parser.add_argument("--only", default="coupons,holders,unread", help="some of them")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "recovery.json")
    options = parser.parse_args()
    wanted = options.only.split(",")

    def small(counts: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(count for count in counts if count <= options.max)

    points: dict[str, list[dict[str, Any]]] = {}
    with KafkaServer() as kafka, PostgresServer() as postgres:
        servers = Servers(kafka, postgres)
        if "coupons" in wanted:
            points["coupons"] = by_coupons(servers, small(COUPONS), options.rounds)
        if "holders" in wanted:
            points["holders"] = by_holders(servers, small(HOLDERS), options.rounds)
        if "unread" in wanted:
            points["unread"] = by_unread(servers, small(UNREAD))
    for curve, rows in points.items():
        for row in rows:
            values = "  ".join(f"{key} {value:,.2f}" for key, value in row.items() if key != "x")
            print(f"{curve:8} {row['x']:>10,}  {values}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(points, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
