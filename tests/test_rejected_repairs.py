"""A row that the database rejects keeps no other event of its coupon from being repaired."""

import psycopg
import pytest
from harness import http
from harness.coupons import create, rows, users
from harness.kafka_topics import delete_topic
from harness.seonchak import Serve
from harness.servers import RedisServer, SharedServer
from harness.wait import eventually

REJECT_BAD = "ALTER TABLE user_coupon ADD CONSTRAINT none CHECK (user_id <> 'bad') NOT VALID"


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_row_that_is_rejected_keeps_no_neighbour_from_being_repaired(
    place: str, serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str
) -> None:
    log = f"kafka://{kafka_server.address}/{topic}"
    flags = ("--gate", own_redis.address, "--log", log, "--store", database, "--log-group", topic)
    api = serve(*flags, "--roles", "api,relay")
    create(api, "c")
    good = users("u", 20)
    asking = ["bad", *good] if place == "first" else [*good, "bad"]
    # In one go, so that several share an entry of the outbox.
    answers = http.load(api.address, [http.issue("c", user) for user in asking], connections=1, pipeline=32)
    assert {answer.status for answer in answers} == {201}
    redis = own_redis.client()
    eventually(lambda: redis.hget("{coupon:c}:state", "published") == "21", "all is published")
    delete_topic(kafka_server.address, topic)
    with psycopg.connect(database) as connection:
        connection.execute(REJECT_BAD)
    server = serve(*flags, "--roles", "consumer")
    eventually(lambda: rows(database, "c").keys() == set(good), "all others are saved")
    eventually(lambda: server.metrics()["seonchak_consumer_rejected_by_repair_total"] == 1, "it is counted")
    assert server.metrics()["seonchak_consumer_lost_by_log_total"] == 20
    lines = [line for line in server.log_text().splitlines() if "the store rejects a row" in line]
    assert len(lines) == 1
    assert "user=bad" in lines[0]
