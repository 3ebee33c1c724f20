"""One of two partitions has no broker: coupons whose events go to the other one know nothing of it."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from harness import http
from harness.coupons import create, issue_to, users, wait_for_rows
from harness.second_broker import SecondBroker
from harness.seonchak import Serve
from harness.servers import KafkaServer, RedisServer
from harness.wait import POLL_S, SETTLE_S, eventually

# As librdkafka's murmur2 has it of two partitions.
WELL, SICK = "c0", "c1"
# More than the publisher's queue has room for: 65,536.
MANY = 70_000


@pytest.fixture
def brokers(unique: str) -> Iterator[tuple[KafkaServer, SecondBroker]]:
    with KafkaServer() as first:
        first.create_topic(f"{unique}-dlt")
        # The topic of the groups' positions lies on the broker that stays.
        reader = Consumer({"bootstrap.servers": first.address, "group.id": "any"})
        reader.subscribe([f"{unique}-dlt"])
        eventually(lambda: reader.poll(POLL_S) or reader.assignment(), "a group can be joined")
        reader.close()
        with SecondBroker(first) as second:
            admin = AdminClient({"bootstrap.servers": first.address})
            eventually(lambda: len(admin.list_topics(timeout=5).brokers) == 2, "both brokers are known")
            two = NewTopic(unique, num_partitions=2, replica_assignment=[[1], [2]])
            admin.create_topics([two])[unique].result(SETTLE_S)
            yield first, second


def test_a_partition_that_is_away_fills_no_queue_of_the_others(
    serve: Serve,
    own_redis: RedisServer,
    brokers: tuple[KafkaServer, SecondBroker],
    unique: str,
    database: str,
) -> None:
    first, second = brokers
    log = f"kafka://{first.address},{second.address}/{unique}"
    server = serve("--gate", own_redis.address, "--log", log, "--store", database, "--log-group", unique)
    create(server, WELL)
    create(server, SICK, stock=2 * MANY)
    expected = issue_to(server, WELL, users("before", 1))
    wait_for_rows(database, WELL, expected)
    second.kill()
    for part in range(7):
        names = users(f"p{part}", MANY // 7)
        answers = http.load(server.address, [http.issue(SICK, user) for user in names], connections=32)
        assert {answer.status for answer in answers} == {201}
    expected |= issue_to(server, WELL, users("after", 5))
    wait_for_rows(database, WELL, expected)
    assert server.metrics()["seonchak_consumer_lost_by_log_total"] == 0
