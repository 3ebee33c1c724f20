"""A deleted topic takes along what Kafka had confirmed and nobody had read: the outbox still has it.

Its successor under the same name is read from its beginning.
"""

import contextlib
import time

import psycopg
import pytest
from confluent_kafka import KafkaException, Producer
from harness import http
from harness.kafka_topics import delete_topic
from harness.recovery import Sale, sale_of
from harness.seonchak import Serve
from harness.servers import RedisServer, SharedServer, create_topic

ADMIN_TIMEOUT_S = 30.0


@pytest.fixture
def sale(serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str) -> Sale:
    return sale_of(serve, own_redis.address, f"kafka://{kafka_server.address}/{topic}", database, topic)


@pytest.mark.parametrize("later_events", [0, 5])
def test_what_a_deleted_topic_took_along_is_saved(
    sale: Sale, kafka_server: SharedServer, topic: str, later_events: int
) -> None:
    issuing = sale.start("api,relay")
    sale.create(issuing)
    issued = sale.issue_all(issuing, 0, 20)
    sale.wait_until(issuing, "published", 20)
    delete_topic(kafka_server.address, topic)
    with contextlib.suppress(KafkaException):  # the relay may have made it anew already
        create_topic(kafka_server.address, topic)
    issued |= sale.issue_all(issuing, 20, 20 + later_events)
    sale.start("consumer")
    sale.wait_for_rows(issued)
    sale.wait_until(issuing, "persisted", len(issued))


def ask_by_message(brokers: str, topic: str, users: range) -> None:
    """The origin's own messages, acknowledged."""
    producer = Producer({"bootstrap.servers": brokers})
    for user in users:
        producer.produce(topic, f'{{"couponId":"c","userId":"m{user}"}}'.encode(), "c")
    assert producer.flush(ADMIN_TIMEOUT_S) == 0


def test_a_topic_made_anew_while_no_consumer_runs_is_read_from_its_beginning(
    sale: Sale, kafka_server: SharedServer, topic: str, database: str
) -> None:
    server = sale.start("api,consumer")
    reply = http.call(server.address, "POST", "/v1/coupons", body={"id": "c", "name": "Test", "stock": 200})
    assert reply.status == 201
    ask_by_message(kafka_server.address, topic, range(40))
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    with psycopg.connect(database, autocommit=True) as connection:
        query = "SELECT next_offset FROM log_position WHERE topic = %s"
        while connection.execute(query, [topic]).fetchone() != (40,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    server.stop()
    delete_topic(kafka_server.address, topic)
    create_topic(kafka_server.address, topic)
    ask_by_message(kafka_server.address, topic, range(40, 100))
    server = sale.start()
    everybody = {f"m{user}" for user in range(100)}
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while (missing := everybody - set(sale.rows())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not missing
