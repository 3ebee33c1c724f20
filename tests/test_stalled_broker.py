"""One of two brokers of Kafka hangs: its connections are accepted, and nothing comes of them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from harness.coupons import create, issue, rows, users
from harness.proxy import Proxy
from harness.second_broker import SecondBroker
from harness.seonchak import Serve
from harness.servers import KafkaServer, RedisServer
from harness.wait import POLL_S, SETTLE_S, eventually

PARTITIONS = 16
# As librdkafka's murmur2 has it, its partition has an even number.
WELL = "c0"
# So many that every partition has events.
COUPONS = [f"c{number}" for number in range(100)]
# One question to the broker that hangs, and the group's own time.
STARTED_S = 8.0


@dataclass
class Brokers:
    """The second one leads the partitions with an odd number, and is reached through the proxy."""

    first: KafkaServer
    second: SecondBroker
    proxy: Proxy


@pytest.fixture
def brokers(unique: str) -> Iterator[Brokers]:
    with ExitStack() as stack:
        first = stack.enter_context(KafkaServer())
        first.create_topic(f"{unique}-dlt", PARTITIONS)
        # The topic of the groups' positions lies on the broker that stays.
        reader = Consumer({"bootstrap.servers": first.address, "group.id": "any"})
        reader.subscribe([f"{unique}-dlt"])
        eventually(lambda: reader.poll(POLL_S) or reader.assignment(), "a group can be joined")
        reader.close()
        second = SecondBroker(first)
        proxy = stack.enter_context(Proxy({"second": second.port}))
        second.advertised_port = proxy.ports["second"]
        stack.enter_context(second)
        admin = AdminClient({"bootstrap.servers": first.address})
        eventually(lambda: len(admin.list_topics(timeout=5).brokers) == 2, "both brokers are known")
        replicas = [[1 + number % 2] for number in range(PARTITIONS)]
        topic = NewTopic(unique, num_partitions=PARTITIONS, replica_assignment=replicas)
        admin.create_topics([topic])[unique].result(SETTLE_S)
        yield Brokers(first, second, proxy)


def test_a_consumer_that_starts_reads_the_partitions_of_the_other_one(
    serve: Serve, own_redis: RedisServer, brokers: Brokers, unique: str, database: str
) -> None:
    log = f"kafka://{brokers.first.address}/{unique}"
    flags = ("--gate", own_redis.address, "--log", log, "--store", database, "--log-group", unique)
    server = serve(*flags, "--roles", "api,relay")
    consumer = serve(*flags, "--roles", "consumer")
    for coupon in COUPONS:
        create(server, coupon, ack="store" if coupon == WELL else "gate")
        assert issue(server, coupon, "first").status == 201
    eventually(lambda: all(rows(database, coupon) for coupon in COUPONS), "every partition has a position")
    consumer.stop()
    brokers.proxy.set("second", "stall")
    serve(*flags, "--roles", "consumer")
    waiting = iter(users("u", 1_000))
    eventually(lambda: issue(server, WELL, next(waiting)).status == 201, "a row is saved in time", STARTED_S)
