"""A deleted topic takes along what Kafka had confirmed and nobody had read: the outbox still has it."""

import contextlib

import pytest
from confluent_kafka import KafkaException
from harness.kafka_topics import delete_topic
from harness.recovery import Sale, sale_of
from harness.seonchak import Serve
from harness.servers import RedisServer, SharedServer, create_topic


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
