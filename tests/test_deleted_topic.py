"""A deleted topic takes along what Kafka had confirmed and nobody had read: the outbox still has it.

Its successor under the same name is read from its beginning.
"""

import contextlib

import pytest
from confluent_kafka import KafkaException, Producer
from harness import coupons
from harness.kafka_topics import delete_topic
from harness.recovery import Sale
from harness.servers import SharedServer, create_topic
from harness.wait import eventually

ADMIN_TIMEOUT_S = 30.0


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
    sale: Sale, kafka_server: SharedServer, topic: str
) -> None:
    server = sale.start("api,consumer")
    coupons.create(server, "c", 200)
    ask_by_message(kafka_server.address, topic, range(40))
    eventually(lambda: sale.position() == 40, "all are read")
    server.stop()
    delete_topic(kafka_server.address, topic)
    create_topic(kafka_server.address, topic)
    ask_by_message(kafka_server.address, topic, range(40, 100))
    server = sale.start()
    everybody = {f"m{user}" for user in range(100)}
    eventually(lambda: everybody <= set(sale.rows()), "everybody has a row")
