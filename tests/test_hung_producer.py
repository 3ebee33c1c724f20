"""A producer of another program that hangs in a transaction: nothing behind its first record can be read."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer
from harness.coupons import create, issue, issue_to, readiness, rows, users, wait_degraded, wait_for_rows
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer
from harness.wait import eventually

TIMEOUT_S = 30.0


@contextmanager
def open_transaction(brokers: str, topic: str) -> Iterator[Producer]:
    """One bare request, in a transaction that is not ended."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "transactional.id": f"{topic}-shop",
            "transaction.timeout.ms": 300_000,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    producer.produce(topic, key=b"c", value=b'{"couponId":"c","userId":"bare"}', partition=0)
    assert producer.flush(TIMEOUT_S) == 0
    yield producer


@pytest.fixture
def server(
    serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str
) -> Seonchak:
    log = f"kafka://{kafka_server.address}/{topic}"
    return serve("--gate", own_redis.address, "--log", log, "--store", database, "--log-group", topic)


def test_a_producer_that_hangs_in_a_transaction_is_named_and_holds_up_no_row(
    server: Seonchak, kafka_server: SharedServer, topic: str, database: str
) -> None:
    create(server, "c")
    create(server, "eager", ack="store")
    expected = issue_to(server, "c", users("before", 1))
    wait_for_rows(database, "c", expected)
    with open_transaction(kafka_server.address, topic) as producer:
        expected |= issue_to(server, "c", users("behind", 5))
        assert issue(server, "eager", "behind").status in (201, 202)
        wait_for_rows(database, "c", expected)
        eventually(lambda: rows(database, "eager"), "who waits for the store has a row")
        wait_degraded(server, "consumer")
        assert "a transaction that another program began at offset 1 is open" in server.log_text()
        assert server.metrics()["seonchak_consumer_lost_by_log_total"] == 0
        producer.commit_transaction(TIMEOUT_S)
    eventually(lambda: "bare" in rows(database, "c"), "the record in the transaction is read")
    eventually(lambda: readiness(server)[1] == "ready", "the consumer is well again")
    assert server.metrics()["seonchak_consumer_lost_by_log_total"] == 0


def test_short_transactions_are_no_trouble(
    server: Seonchak, kafka_server: SharedServer, topic: str, database: str
) -> None:
    """Their markers lie at the end of the log, where nothing is lost either."""
    create(server, "c")
    expected = issue_to(server, "c", users("u", 3))
    with open_transaction(kafka_server.address, topic) as producer:
        producer.abort_transaction(TIMEOUT_S)
    wait_for_rows(database, "c", expected)
    assert readiness(server)[1] == "ready"
    assert server.metrics()["seonchak_consumer_lost_by_log_total"] == 0
