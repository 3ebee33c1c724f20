"""What one sick coupon, or a thousand at rest, cost the way of the others to the log and the store."""

import json
import time
from typing import Any

import pytest
from confluent_kafka import Producer
from harness import coupons, http
from harness.recovery import Sale
from harness.seonchak import run_command
from harness.servers import RedisServer, SharedServer
from harness.wait import eventually

REST_COUPONS = 300
FIRST_ROUND_S = 4.0
WATCH_S = 5.0
IDLE_COMMANDS_PER_S_MAX = 20.0
GIVEN_BACK_S = 6.0
NOTICED_S = 1.0  # far above what it takes, far below what a sweep would


def test_a_bare_message_for_an_unusable_coupon_stops_nobody(
    sale: Sale, own_redis: RedisServer, kafka_server: SharedServer, topic: str
) -> None:
    server = sale.start()
    sale.create(server)
    coupons.create(server, "sick")
    with own_redis.client() as client:
        client.set("{coupon:sick}:state", "somebody else's")
    producer = Producer({"bootstrap.servers": kafka_server.address})
    producer.produce(topic, b'{"couponId":"sick","userId":"u"}', b"sick", partition=0)
    assert producer.flush(10) == 0
    sale.wait_for_rows(sale.issue_all(server, 0, 20))

    flags = ("--log", f"kafka://{kafka_server.address}/{topic}", "--log-group", topic)

    def letters() -> list[dict[str, Any]]:
        return json.loads(run_command("dead-letter", "list", "--json", *flags).stdout)["letters"]

    assert eventually(letters, "a letter")[0]["reason"] == "gate_unusable"


def test_a_relay_without_work_asks_for_next_to_nothing(sale: Sale, own_redis: RedisServer) -> None:
    api = sale.start("api")
    for number in range(REST_COUPONS):
        coupons.create(api, f"rest-{number}")
    api.stop()
    relay = sale.start("relay")
    time.sleep(FIRST_ROUND_S)
    with own_redis.client() as client:
        before = client.info("stats")["total_commands_processed"]
        time.sleep(WATCH_S)
        commands = client.info("stats")["total_commands_processed"] - before - 1
    assert commands / WATCH_S < IDLE_COMMANDS_PER_S_MAX
    dependencies = http.call(relay.address, "GET", "/readyz").json()["dependencies"]
    assert dependencies["relay"] == {"status": "up"}


@pytest.mark.parametrize("ack", ["log", "store"])
def test_the_first_claim_after_a_pause_is_noticed_soon(sale: Sale, ack: str) -> None:
    """Once by a relay of the same process, once by one elsewhere."""
    for api_roles, other_roles in (("api,relay", "consumer"), ("api", "relay,consumer")):
        api = sale.start(api_roles)
        other = sale.start(other_roles)
        coupon = f"{ack}-{len(api_roles)}"
        coupons.create(api, coupon, ack=ack)
        waits = []
        for user in range(2):
            time.sleep(GIVEN_BACK_S if user else 0)
            began = time.monotonic()
            reply = coupons.issue(api, coupon, f"u{user}")
            waits.append(time.monotonic() - began)
            assert reply.status == 201, reply.text
        assert min(waits) < NOTICED_S, waits
        api.stop()
        other.stop()
